package console

import "time"

// FormatTime returns a time in the format of all commands, or "-" if the store has
// none.
func FormatTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// FormatTimeIfSet returns a time, or "" if it is not set.
func FormatTimeIfSet(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return FormatTime(t)
}
