package program

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
)

var (
	errDryRunReason = errors.New("the command cannot predict this change")
	// errDryRun is the error of an operation that --dry-run prevents, because it would change
	// something.
	errDryRun = &storage.Error{Code: storage.Unsupported, Err: errDryRunReason, Hint: "omit --dry-run to make the change"}
)

// NotInDryRun fails if --dry-run is set. It is for commands that cannot predict their changes.
func (p *Program) NotInDryRun() error {
	if p.Global.DryRun {
		return argument.Invalid("--dry-run must not be used with "+p.Command.Name(), "")
	}
	return nil
}

// refuseChanges is a hook that refuses operations that change something. It is called after the checks
// of the arguments and features, so that a dry run fails if they do.
func refuseChanges(_ context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
	if isChange(op.Effects) {
		return nil, nil, errDryRun
	}
	return nil, nil, nil
}

// isChange reports whether an operation with these effects changes something itself, unlike one that
// returns a URL or credentials.
func isChange(e storage.Effects) bool {
	signsOrVends := e&(storage.EffectSign|storage.EffectVend) != 0
	if signsOrVends {
		return false
	}
	writesOrRemoves := e&(storage.EffectWrite|storage.EffectRemove) != 0
	// An operation that reads about the buckets of an account has a second effect.
	return writesOrRemoves || e == storage.EffectAdminister
}

// IgnoreDryRun returns err, or nil if err only says that a dry run refused a change.
func IgnoreDryRun(err error) error {
	if errors.Is(err, errDryRunReason) {
		return nil
	}
	return err
}

// addressToOpen returns the address with which storage.Open opens a location. In a dry run, an empty
// bucket in memory stands in for a missing directory, which would be created.
func (s *Stores) addressToOpen(l location.Location) string {
	if !s.flags.DryRun || l.Scheme != "file" {
		return l.Address()
	}

	query, err := url.ParseQuery(l.Query)
	dir := l.Directory()
	if err != nil || dir == "" || query.Get("create") != "true" {
		return l.Address()
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return l.Address()
	}
	return "mem://dry-run"
}
