import time
from pathlib import Path
from tests.e2e.conftest import *
from tests.conftest import *
from tests.conftest import _shared_smtp_server
from tests.e2e.site import *
def test_x(servers, tmp_path):
    site = make_site(tmp_path, mailboxes=servers.mailbox(), outgoing=servers.outgoing(more='keep_sent_in = "desk"'), calendar="", service='log_level="debug"')
    with running(site) as w:
        for n in range(3):
            t=time.time()
            servers.imap.deliver(mail(f"Our figures {n}"), sender="ann@example.test")
            print("delivered", time.time()-t)
            row = wait_for(lambda: site.row(f"Our figures {n}"), "logged", timeout_s=10)
            print("logged", time.time()-t)
            row = wait_for(lambda: site.ended(f"Our figures {n}"), "the answer is sent", timeout_s=10)
            print("done", time.time()-t)
