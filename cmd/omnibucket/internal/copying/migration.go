package copying

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/transfer"
)

// migrationOptions returns the options of --shard and --journal.
func migrationOptions(ctx context.Context, p *program.Program, f *syncFlags, src, dst location.Location) ([]transfer.Option, error) {
	var opts []transfer.Option
	part := "all"
	if f.filter.Flags.Changed("shard") { // a variable that is not set must not mean all keys
		i, n, err := parseShard(f.shard)
		if err != nil {
			return nil, err
		}
		opts = append(opts, transfer.WithShard(i, n))
		part = fmt.Sprintf("%d-of-%d", i, n)
	}
	if !f.filter.Flags.Changed("journal") {
		return opts, nil
	}
	bucket, err := journalBucket(ctx, p, f.journal)
	if err != nil || bucket == nil {
		return opts, err
	}
	// Each pair of ends has a journal of its own, so that one folder does for many jobs.
	return append(opts, transfer.WithJournal(bucket, "journal-"+jobName(src, dst)+"-"+part+".json")), nil
}

// parseShard parses I/N.
func parseShard(text string) (i, n int, err error) {
	first, second, _ := strings.Cut(text, "/")
	index, err := strconv.ParseUint(first, 10, 31) // without a sign
	of, failed := strconv.ParseUint(second, 10, 31)
	if err != nil || failed != nil || index >= of {
		return 0, 0, argument.Invalid("--shard must have the form I/N, with I from 0 to N-1", "")
	}
	return int(index), int(of), nil
}

// jobName returns a name for the job from src to dst.
func jobName(src, dst location.Location) string {
	var text strings.Builder
	for _, l := range []location.Location{src, dst} {
		if l.Kind == location.LocalPath {
			path, err := filepath.Abs(l.Path)
			if err != nil {
				path = l.Path
			}
			fmt.Fprintf(&text, "%q ", path)
			continue
		}
		fmt.Fprintf(&text, "%q %q ", l.Address(), l.Prefix+location.AsFolder(l.Key))
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:8])
}

// journalBucket opens the folder of --journal. A directory is created if necessary or, in a dry run,
// nil is returned: the job keeps no journal then.
func journalBucket(ctx context.Context, p *program.Program, text string) (storage.Bucket, error) {
	l, err := p.Locate(text)
	switch {
	case err != nil:
		return nil, err
	case l.Kind == location.InBucket:
		return p.OpenFolder(ctx, l)
	case l.Kind != location.LocalPath:
		return nil, argument.Invalid("--journal must be a directory or a folder in a bucket", "")
	}
	path, err := filepath.Abs(l.Path)
	if err != nil {
		return nil, err
	}
	if p.Global.DryRun {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	} else if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, err
	}
	if l, err = l.InDirectory(path, ""); err != nil {
		return nil, err
	}
	return p.Open(ctx, l)
}
