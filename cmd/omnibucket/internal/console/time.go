package console

import "time"

// FormatTime formats a time as all commands print it, in UTC and whole seconds. The zero time is "-".
func FormatTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// FormatTimeIfSet is like FormatTime, but returns "" for the zero time.
func FormatTimeIfSet(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return FormatTime(t)
}
