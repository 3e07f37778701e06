package copying

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/transfer"
)

// A migration is a job of sync that can resume after an interruption, and that several commands may
// share with --shard.
type migration struct {
	opts    []transfer.Option
	state   storage.Bucket // folder of --journal, or nil
	job     string         // name of the job in state
	part    string         // part of the job: "all", or I-of-N
	shards  int
	src     location.Location
	dst     location.Location
	dryRuns bool
}

// newMigration returns the job from src to dst, or the part of it, that the flags of sync describe.
func newMigration(
	ctx context.Context, p *program.Program, f *syncFlags, src, dst location.Location,
) (*migration, error) {
	m := &migration{
		job:     jobName(src, dst),
		part:    "all",
		shards:  1,
		src:     src,
		dst:     dst,
		dryRuns: p.Global.DryRun,
	}

	if err := m.selectShard(ctx, p, f); err != nil {
		return nil, err
	}
	if !f.filter.Flags.Changed("journal") {
		return m, nil
	}

	// A dry run does not create the directory of the journal.
	create := !p.Global.DryRun
	announce := func(c storage.Core) storage.Core { return &announcingCore{Core: c, job: m} }
	state, err := journalBucket(ctx, p, f.journal, create, announce)
	if err != nil {
		return nil, err
	}
	if state == nil {
		return m, nil
	}
	m.state = state

	// Each part of each job has a journal of its own, so that one folder can hold the journals of many jobs.
	m.opts = append(m.opts, transfer.WithJournal(m.state, journalPrefix+m.job+"-"+m.part+".json"))
	return m, nil
}

// selectShard restricts the job to the part of the keys that --shard and --shard-bounds name, if they are given.
func (m *migration) selectShard(ctx context.Context, p *program.Program, f *syncFlags) error {
	// An empty value, as from --shard "$UNSET", is an error, because it must not mean all keys.
	if f.filter.Flags.Changed("shard") {
		index, count, err := parseShard(p, f.shard)
		if err != nil {
			return err
		}
		m.opts = append(m.opts, transfer.WithShard(index, count))
		m.part = fmt.Sprintf("%d-of-%d", index, count)
		m.shards = count
	}

	if f.filter.Flags.Changed("shard-bounds") {
		bounds, err := readBounds(ctx, p, f.shardBounds)
		if err != nil {
			return err
		}
		// A bound separates two shards.
		if len(bounds)+1 != m.shards {
			return argument.Invalid(
				"--shard-bounds must be used with --shard and a file for its number of shards",
				"make the file with \"omnibucket job split\"",
			)
		}
		m.opts = append(m.opts, transfer.WithShardBounds(bounds...))
	}
	return nil
}

// jobName returns a short name for the job from src to dst, which is the same in each run. It is a hash of both locations.
func jobName(src, dst location.Location) string {
	var text strings.Builder
	for _, l := range []location.Location{src, dst} {
		if l.Kind == location.LocalPath {
			absolute, err := filepath.Abs(l.Path)
			if err != nil {
				absolute = l.Path
			}
			fmt.Fprintf(&text, "%q ", absolute)
			continue
		}
		if l.Dir != "" {
			// The addresses file:///a/ and file:///a are the same.
			l.Dir = path.Clean(l.Dir)
		}
		fmt.Fprintf(&text, "%q %q ", l.Address(), l.Prefix+location.AsFolder(l.Key))
	}

	// Eight bytes of the hash suffice to tell jobs apart.
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:8])
}

// journalBucket opens the directory or the folder in a bucket that --journal names. It returns nil if the directory is
// missing and create is false.
func journalBucket(
	ctx context.Context, p *program.Program, text string, create bool, wrap func(storage.Core) storage.Core,
) (storage.Bucket, error) {
	l, err := p.Stores.Locate(text)
	if err != nil {
		return nil, err
	}

	// A folder in a bucket needs no directory.
	if l.Kind == location.InBucket {
		bucket, err := p.Stores.OpenWrapped(ctx, l, wrap)
		if err != nil {
			return nil, err
		}
		return program.WithPrefix(bucket, location.AsFolder(l.Key)), nil
	}

	if l.Kind != location.LocalPath {
		return nil, argument.Invalid("--journal must be a directory or a folder in a bucket", "")
	}
	path, err := filepath.Abs(l.Path)
	if err != nil {
		return nil, err
	}

	if create {
		if err := os.MkdirAll(path, 0o777); err != nil {
			return nil, err
		}
	} else if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		// A missing directory has no journals.
		return nil, nil
	}

	directory, err := l.InDirectory(path, "")
	if err != nil {
		return nil, err
	}
	return p.Stores.OpenWrapped(ctx, directory, wrap)
}
