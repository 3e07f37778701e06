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

// NotInDryRun fails with --dry-run. Commands that cannot predict their changes call it.
func (p *Program) NotInDryRun() error {
	if p.Global.DryRun {
		return argument.Invalid("--dry-run must not be used with "+p.Command.Name(), "")
	}
	return nil
}

// refuseChanges is a hook that refuses operations that change something. Before the library calls
// the hook, it checks the arguments and the features of the bucket. A dry run therefore reports
// invalid arguments and missing features, too.
func refuseChanges(_ context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
	if changes(op.Effects) {
		return nil, nil, errDryRun
	}
	return nil, nil, nil
}

// changes reports whether an operation with these effects changes something itself. An operation that
// returns a URL or credentials does not. One that describes or lists the buckets of an account has
// another effect beside EffectAdminister.
func changes(e storage.Effects) bool {
	signsOrVends := e&(storage.EffectSign|storage.EffectVend) != 0
	if signsOrVends {
		return false
	}
	writesOrRemoves := e&(storage.EffectWrite|storage.EffectRemove) != 0
	return writesOrRemoves || e == storage.EffectAdminister
}

// OfDryRun returns nil if err only says that a dry run refused an operation. Otherwise it returns
// err.
func OfDryRun(err error) error {
	if errors.Is(err, errDryRunReason) {
		return nil
	}
	return err
}

// addressToOpen returns the address that storage.Open needs for a location. With --dry-run, a
// missing directory is replaced with an empty bucket in memory, so that it is not created.
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
