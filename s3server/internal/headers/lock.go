package headers

import (
	"net/http"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// Lock reads the retention and the legal hold of a new object from the headers of its write. The retention must end
// after now.
func Lock(header http.Header, now time.Time) (state.Lock, error) {
	invalid := func(name, message string) error {
		return s3error.New("InvalidArgument", "ArgumentName", name, "ArgumentValue", header.Get(name)).
			WithMessage("%s", message)
	}
	mode := header.Get(state.LockMode)
	hold := header.Get(state.LockHold)
	retainUntil := header.Get(state.LockUntil)

	// A retention needs both a mode and a date.
	if (mode == "") != (retainUntil == "") {
		const message = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"
		return state.Lock{}, invalid(state.LockMode, message)
	}
	if mode != "" && !state.IsLockMode(mode) {
		return state.Lock{}, invalid(state.LockMode, "Unknown wormMode directive.")
	}

	if hold != "" && hold != "ON" && hold != "OFF" {
		return state.Lock{}, invalid(state.LockHold, "Legal Hold must be either of 'ON' or 'OFF'")
	}

	// Without a mode, there is no retention, and so no date to check.
	if mode == "" {
		return state.Lock{Hold: hold}, nil
	}

	until, err := time.Parse(time.RFC3339, retainUntil)
	if err != nil {
		return state.Lock{}, invalid(state.LockUntil, "The retain until date must be provided in ISO 8601 format")
	}
	if !until.After(now) {
		return state.Lock{}, invalid(state.LockUntil, "The retain until date must be in the future!")
	}
	return state.Lock{Mode: mode, Until: until, Hold: hold}, nil
}
