package transfer

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/omnibucket/storage"
)

// maxFailures is the number of failures that a Report keeps. Further failures are only counted.
const maxFailures = 1000

// A Report is the result of a job. With [WithDryRun] it is a prediction.
type Report struct {
	Transferred int64 `json:"transferred"` // files transferred to the destination
	Skipped     int64 `json:"skipped"`     // files that were the same at both ends
	Ignored     int64 `json:"ignored"`     // skipped links, pipes, devices and sockets, and markers of empty folders
	Failed      int64 `json:"failed"`      // files that could not be read, written or removed, or have an invalid name
	Deleted     int64 `json:"deleted"`     // files removed
	Aborted     int64 `json:"aborted"`     // multipart uploads that [Expire] aborted
	// Changed counts objects that were skipped, because they were replaced or removed after the
	// inventory of [WithInventory] was taken.
	Changed int64 `json:"changed"`

	Bytes        int64 `json:"bytes"`        // bytes of transferred files
	DeletedBytes int64 `json:"deletedBytes"` // bytes of removed files

	Failures []Failure     `json:"failures,omitempty"` // the first 1,000 failures
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"durationNanoseconds"`
	DryRun   bool          `json:"dryRun"`
	// PlacesUnknown is only set by a dry run of a job that would remove files. It is true if the
	// source and the destination may be one place under two addresses. A real job tests that before
	// it removes anything: it stores a small object at one end and looks for it at the other. A dry
	// run makes no such test.
	PlacesUnknown bool `json:"placesUnknown,omitempty"`
	// FailedOver is true if the primary of a mirror did not respond, and the second store has
	// answered a listing or a read of the job. The second store may lack the latest writes, so the
	// destination may lack them, too. Repeat the job when the primary responds again.
	FailedOver bool `json:"failedOver,omitempty"`
	// Inventory is when the inventory of [WithInventory] was taken. It is zero without an
	// inventory.
	Inventory time.Time `json:"inventory,omitzero"`
	// Forecast is set by a dry run of [Sync] and its short forms; otherwise it is nil.
	Forecast *Forecast `json:"forecast,omitempty"`

	removes bool // true for Expire and Remove, which transfer nothing
}

// A Failure is a file that failed. In JSON, only the text and the Code of Err are kept.
type Failure struct {
	Key string // the key of the file; it ends in a slash for a directory
	// Err is a *storage.Error. After reading from JSON, it has only the text and the Code.
	Err error
}

// A failureRecord is the JSON form of a Failure.
type failureRecord struct {
	Key   string       `json:"key"`
	Code  storage.Code `json:"code,omitempty"`
	Error string       `json:"error,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (f Failure) MarshalJSON() ([]byte, error) {
	record := failureRecord{Key: f.Key, Code: storage.CodeOf(f.Err)}
	if f.Err != nil {
		record.Error = f.Err.Error()
	}
	return json.Marshal(record)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (f *Failure) UnmarshalJSON(text []byte) error {
	var record failureRecord
	if err := json.Unmarshal(text, &record); err != nil {
		return err
	}
	*f = Failure{Key: record.Key, Err: &pastError{record.Error, record.Code}}
	return nil
}

// A pastError is the error of a failure that was read from JSON.
type pastError struct {
	text string
	code storage.Code
}

func (e *pastError) Error() string { return e.text }

// Unwrap returns the Code, which is an error.
func (e *pastError) Unwrap() error { return e.code }

// Rate returns the transferred bytes per second. It returns 0 if no time has passed.
func (r *Report) Rate() float64 {
	if r.Duration <= 0 {
		return 0
	}
	return float64(r.Bytes) / r.Duration.Seconds()
}

// String describes the report in one line, followed by one line for each of the first ten failures.
func (r *Report) String() string {
	var b strings.Builder
	if r.DryRun {
		b.WriteString("dry run: ")
	}
	fmt.Fprintf(&b, "%s in %s", r.countsText(), r.Duration.Round(time.Millisecond))
	if r.Bytes > 0 && r.Duration > 0 && !r.DryRun {
		fmt.Fprintf(&b, ", %s/s", formatBytes(r.Rate()))
	}

	if r.PlacesUnknown {
		b.WriteString("; it was not asked whether both ends are one place, as the job does before it removes anything")
	}
	if r.FailedOver {
		b.WriteString("; the second store of a mirror has answered, which may lack the latest writes: repeat the job later")
	}
	if !r.Inventory.IsZero() {
		fmt.Fprintf(&b, "; the inventory was %s old", r.Started.Sub(r.Inventory).Round(time.Second))
	}
	if r.Forecast != nil {
		if text := r.Forecast.String(); text != "" {
			fmt.Fprintf(&b, "; to be done: %s", text)
		}
	}

	const maxShown = 10
	for i, f := range r.Failures {
		if i == maxShown {
			fmt.Fprintf(&b, "\n  and %d more", r.Failed-maxShown)
			break
		}
		fmt.Fprintf(&b, "\n  %q: %s", f.Key, printable(f.Err.Error()))
	}
	return b.String()
}

// countsText returns the counts of the report as text, such as "2 transferred (1.5 MiB), 3 the same, 1
// failed". The text begins with that of transferredText, followed by the other counts that are not 0.
func (r *Report) countsText() string {
	var parts []string
	if text := r.transferredText(); text != "" {
		parts = append(parts, text)
	}

	counts := []struct {
		count int64
		label string
	}{
		{r.Deleted, "deleted"},
		{r.Aborted, "uploads aborted"},
		{r.Ignored, "ignored"},
		{r.Changed, "changed since the inventory"},
		{r.Failed, "failed"},
	}
	for _, c := range counts {
		if c.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.count, c.label))
		}
	}
	return strings.Join(parts, ", ")
}

// transferredText returns how many files were transferred as text, or "" if the job has only removed
// files. If it could only remove files and found none, the text is "0 deleted".
func (r *Report) transferredText() string {
	hasRemoved := r.Deleted+r.Aborted > 0
	if r.removes && !hasRemoved {
		return "0 deleted"
	}
	hasCompared := r.Transferred+r.Skipped > 0
	if hasRemoved && !hasCompared {
		return ""
	}
	return fmt.Sprintf("%d transferred (%s), %d the same", r.Transferred, formatBytes(float64(r.Bytes)), r.Skipped)
}

// printable escapes the characters that a terminal would interpret or not show, because errors may
// contain names that others have chosen.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// formatBytes returns a number of bytes as text, such as "1.5 MiB".
func formatBytes(n float64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%.0f B", n)
	}
	unit := -1 // index in units; -1 means bytes
	for n >= 1024 && unit < len(units)-1 {
		n /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", n, units[unit])
}

// err returns the error of a job that ended early or had failures, and nil otherwise. cause is the
// reason for an early end, or nil.
func (r *Report) err(cause error) error {
	if cause == nil && r.Failed == 0 {
		return nil
	}
	return &incompleteError{cause: cause, report: r}
}

// An incompleteError is the error of a job that ended early or has failures.
type incompleteError struct {
	cause  error // why the job ended early, or nil
	report *Report
}

// Error returns the reason for an early end, if any, and then the number of failures and the texts of
// the first ones.
func (e *incompleteError) Error() string {
	const maxShown = 3
	var lines []string
	if e.cause != nil {
		lines = append(lines, printable(e.cause.Error()))
	}
	if e.report.Failed > 0 {
		lines = append(lines, fmt.Sprintf("%d failed", e.report.Failed))
	}
	for i, f := range e.report.Failures {
		if i == maxShown {
			lines = append(lines, "…")
			break
		}
		lines = append(lines, printable(f.Err.Error()))
	}
	return "transfer: " + strings.Join(lines, "; ")
}

// Unwrap returns the error that ended the job early, if any, and then the error of each recorded
// failure.
func (e *incompleteError) Unwrap() []error {
	var errs []error
	if e.cause != nil {
		errs = append(errs, e.cause)
	}
	for _, f := range e.report.Failures {
		errs = append(errs, f.Err)
	}
	return errs
}
