package agents

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/objectkey"
)

// A refusal is an error of this server itself, not of a store. So it holds no secrets, and an agent
// may read all of it.
type refusal string

func (r refusal) Error() string { return string(storage.InvalidArgument) + ": " + string(r) }

// advice says what an agent can do about an error of a store. Only these texts reach the agent: the error of a store
// may have names of buckets, hosts, accounts and paths.
var advice = map[storage.Code]string{
	storage.ObjectNotFound:      "no object has this key; list shows which keys exist",
	storage.BucketNotFound:      "the location of this server does not exist",
	storage.PreconditionFailed:  "the object exists, or is not the revision that the call names",
	storage.Changed:             "another program replaced or removed the object meanwhile; read it again",
	storage.InvalidArgument:     "the store does not accept this call",
	storage.RangeNotSatisfiable: "offset is past the end of the object; stat shows its size",
	storage.PermissionDenied:    "the store does not let this server do that",
	storage.Unauthenticated:     "the store does not accept the credentials of this server; its owner must act",
	storage.ChecksumMismatch: "the bytes are damaged, or not written here; " +
		"if a second call fails, its owner must act",
	storage.TooLarge:         "the store has a lower limit",
	storage.Archived:         "the object is in an archive; its owner must restore it first",
	storage.Locked:           "a retention or a hold protects the object",
	storage.RateLimited:      "the store is busy; wait for a minute",
	storage.Unavailable:      "the store cannot be reached; wait for a minute",
	storage.Unsupported:      "this store or location cannot do that",
	storage.OutcomeUnknown:   "the change may have been made; use stat before you repeat it",
	storage.Canceled:         "the call was canceled",
	storage.DeadlineExceeded: "the call took too long",
}

// failure converts an error to one for the agent, which reveals nothing about the store. An error that
// the owner of the server can act on is also reported to the owner.
func (s *server) failure(ctx context.Context, tool string, err error) error {
	// A refusal was written for the agent.
	var refusalErr refusal
	if err == nil || errors.As(err, &refusalErr) {
		return err
	}

	code := storage.AsError(ctx, err).Code
	if errors.Is(err, storage.OutcomeUnknown) {
		code = storage.OutcomeUnknown
	}
	if !isForAgentOnly(code) {
		s.report(err)
	}

	hint, ok := hintFor(code, tool)
	if !ok {
		// The agent can do nothing about any other error, so it does not learn the code.
		code = storage.Internal
		hint = "the owner of the server finds the reason in its log"
	}
	return errors.New(string(code) + ": " + hint)
}

// isForAgentOnly reports whether nobody but the agent can act on an error with this code, by another call.
func isForAgentOnly(code storage.Code) bool {
	switch code {
	case storage.ObjectNotFound, storage.PreconditionFailed, storage.RangeNotSatisfiable, storage.Canceled:
		return true
	}
	return false
}

// hintFor returns what an agent can do about an error of a tool. isKnown is false if there is nothing for the code.
func hintFor(code storage.Code, tool string) (hint string, isKnown bool) {
	if code == storage.Unsupported {
		switch tool {
		case toolLink:
			return "this location cannot sign links; use read", true
		case toolWrite, toolMove:
			return "this store cannot ensure the condition of the call; " +
				"the owner of the server finds the reason in its log", true
		}
	}
	hint, isKnown = advice[code]
	return hint, isKnown
}

// revisionError returns a refusal of ifRevision if err says that no object of this store can have the
// revision, and any other err as it is.
func revisionError(err error, revision string) error {
	if revision != "" && storage.CodeOf(err) == storage.InvalidArgument {
		return refusal("ifRevision must be a revision that stat or read returned")
	}
	return err
}

// checkKey refuses a key that no store accepts, such as one that leads out of a folder.
func checkKey(argument, key string) error {
	if rule := objectkey.Rule(key); rule != "" {
		return refusal(argument + " " + rule)
	}
	return nil
}

// checkNewKey refuses a key for a new object if some store could not hold it.
func checkNewKey(argument, key string) error {
	if rule := objectkey.WriteRule(key); rule != "" {
		return refusal(argument + " " + rule)
	}
	return nil
}
