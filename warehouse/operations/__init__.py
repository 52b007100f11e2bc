"""Work on a whole home: inbox, replay, rollback, retention, consistency."""
