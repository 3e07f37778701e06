package headers

import (
	"net/http"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// Lock reads the retention and the legal hold from the headers of a write. It fails if the
// retention ends before now.
func Lock(header http.Header, now time.Time) (state.Lock, error) {
	l := state.Lock{Mode: header.Get(state.LockMode), Hold: header.Get(state.LockHold)}
	retainUntil := header.Get(state.LockUntil)
	invalid := func(name, message string) (state.Lock, error) {
		return l, s3error.New("InvalidArgument", "ArgumentName", name, "ArgumentValue", header.Get(name)).
			WithMessage("%s", message)
	}
	if (l.Mode == "") != (retainUntil == "") {
		return invalid(state.LockMode, "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied")
	}
	if l.Mode != "" && l.Mode != state.Governance && l.Mode != state.Compliance {
		return invalid(state.LockMode, "Unknown wormMode directive.")
	}
	if l.Hold != "" && l.Hold != "ON" && l.Hold != "OFF" {
		return invalid(state.LockHold, "Legal Hold must be either of 'ON' or 'OFF'")
	}
	if l.Mode == "" {
		return l, nil
	}
	var err error
	if l.Until, err = time.Parse(time.RFC3339, retainUntil); err != nil {
		return invalid(state.LockUntil, "The retain until date must be provided in ISO 8601 format")
	}
	if !l.Until.After(now) {
		return invalid(state.LockUntil, "The retain until date must be in the future!")
	}
	return l, nil
}
