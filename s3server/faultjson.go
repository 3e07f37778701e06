package s3server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// plainFault is a Fault without the methods that make its JSON.
type plainFault Fault

// A faultJSON is the JSON of a Fault: its durations replace those of plainFault.
type faultJSON struct {
	plainFault
	RetryAfter jsonDuration `json:"retryAfter,omitzero"`
	Latency    jsonDuration `json:"latency,omitzero"`
	ClockSkew  jsonDuration `json:"clockSkew,omitzero"`
	Stale      jsonDuration `json:"stale,omitzero"`
}

// A jsonDuration is a string such as "250ms".
type jsonDuration time.Duration

// MarshalText writes the duration as Go does.
func (d jsonDuration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *jsonDuration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = jsonDuration(parsed)
	return err
}

// MarshalJSON writes the JSON that the type describes.
func (f Fault) MarshalJSON() ([]byte, error) {
	return json.Marshal(faultJSON{
		plainFault(f), jsonDuration(f.RetryAfter), jsonDuration(f.Latency), jsonDuration(f.ClockSkew), jsonDuration(f.Stale),
	})
}

// UnmarshalJSON reads the JSON that the type describes. It fails if a field is unknown or has a
// value that no fault can have.
func (f *Fault) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var read faultJSON
	if err := decoder.Decode(&read); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	parsed := Fault(read.plainFault)
	parsed.RetryAfter, parsed.Latency = time.Duration(read.RetryAfter), time.Duration(read.Latency)
	parsed.ClockSkew, parsed.Stale = time.Duration(read.ClockSkew), time.Duration(read.Stale)
	if err := parsed.check(); err != nil {
		return err
	}
	*f = parsed
	return nil
}

// check refuses values that no fault can have.
func (f *Fault) check() error {
	numbers := map[string]int64{
		"skip": int64(f.Skip), "times": int64(f.Times), "rate": int64(f.Rate), "bandwidth": f.Bandwidth,
		"retryAfter": int64(f.RetryAfter), "latency": int64(f.Latency), "stale": int64(f.Stale),
	}
	for name, offset := range map[string]*int64{"cutAfter": f.CutAfter, "stallAfter": f.StallAfter, "flipAt": f.FlipAt} {
		if offset != nil {
			numbers[name] = *offset
		}
	}
	for name, n := range numbers {
		if n < 0 {
			return fmt.Errorf("%s must not be negative", name)
		}
	}
	if !f.acts() {
		return errors.New("a fault must do something to a request")
	}
	if f.Error != "" && !s3error.Known(f.Error) && f.Status == 0 {
		return fmt.Errorf("error must be a known code, or status must be set: %q", f.Error)
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return errors.New("status must be from 200 to 599")
	}
	return nil
}

// acts reports whether a fault changes anything.
func (f *Fault) acts() bool {
	return f.Error != "" || f.Status != 0 || f.Redirect != "" || f.DropConnection || f.DropResponse ||
		f.CutAfter != nil || f.StallAfter != nil || f.FlipAt != nil || f.Latency > 0 || f.Bandwidth > 0 ||
		f.ETag != "" || f.ClockSkew != 0 || f.Stale > 0 || len(f.Ignore) > 0 || len(f.Hide) > 0 || f.Reverse
}
