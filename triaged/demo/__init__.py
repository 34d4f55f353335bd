"""A made-up service firm: its clients, its people's calendars and sixty mails of one night."""
