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
	// errDryRun is the error of an operation or a request that would change something.
	errDryRun = &storage.Error{Code: storage.Unsupported, Err: errDryRunReason, Hint: "omit --dry-run to make the change"}
)

// NotInDryRun refuses --dry-run for a command that cannot predict its changes.
func (p *Program) NotInDryRun() error {
	if p.Global.DryRun {
		return argument.Invalid("--dry-run must not be used with "+p.Command.Name(), "")
	}
	return nil
}

// refuseChanges refuses operations that change something. A dry run begins them, because the
// library has checked their arguments and the features of the bucket before it calls this hook.
func refuseChanges(_ context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
	switch op.Name {
	case "Upload", "Copy", "Remove", "SetTags", "Restore", "CreateBucket", "UpdateBucket":
		return nil, nil, errDryRun
	}
	return nil, nil, nil
}

// OfDryRun returns the error of an operation. If only the dry run refused it, that is nil.
func OfDryRun(err error) error {
	if errors.Is(err, errDryRunReason) {
		return nil
	}
	return err
}

// addressToOpen returns the address of a location for storage.Open. With --dry-run, a directory
// that would be created is an empty bucket in memory.
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
