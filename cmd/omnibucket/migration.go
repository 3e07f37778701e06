package main

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
	"github.com/omnibucket/storage/transfer"
)

// migrationOptions returns the options of --shard and --journal.
func (p *program) migrationOptions(ctx context.Context, f *syncFlags, src, dst location) ([]transfer.Option, error) {
	var opts []transfer.Option
	part := "all"
	if f.filter.flags.Changed("shard") { // a variable that is not set must not mean all keys
		i, n, err := parseShard(f.shard)
		if err != nil {
			return nil, err
		}
		opts = append(opts, transfer.WithShard(i, n))
		part = fmt.Sprintf("%d-of-%d", i, n)
	}
	if !f.filter.flags.Changed("journal") {
		return opts, nil
	}
	bucket, err := p.journalBucket(ctx, f.journal)
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
		return 0, 0, invalid("--shard must have the form I/N, with I from 0 to N-1", "")
	}
	return int(index), int(of), nil
}

// jobName returns a name for the job from src to dst.
func jobName(src, dst location) string {
	var text strings.Builder
	for _, l := range []location{src, dst} {
		if l.kind == localPath {
			path, err := filepath.Abs(l.path)
			if err != nil {
				path = l.path
			}
			fmt.Fprintf(&text, "%q ", path)
			continue
		}
		fmt.Fprintf(&text, "%q %q ", l.address(), l.prefix+asFolder(l.key))
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:8])
}

// journalBucket opens the folder of --journal. A directory is created if necessary or, in a dry run,
// nil is returned: the job keeps no journal then.
func (p *program) journalBucket(ctx context.Context, text string) (storage.Bucket, error) {
	l, err := p.locate(text)
	switch {
	case err != nil:
		return nil, err
	case l.kind == inBucket:
		return p.openFolder(ctx, l)
	case l.kind != localPath:
		return nil, invalid("--journal must be a directory or a folder in a bucket", "")
	}
	path, err := filepath.Abs(l.path)
	if err != nil {
		return nil, err
	}
	if p.global.dryRun {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	} else if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, err
	}
	if l, err = l.inDirectory(path, ""); err != nil {
		return nil, err
	}
	return p.open(ctx, l)
}
