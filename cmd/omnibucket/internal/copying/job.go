package copying

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// Job returns the command job.
func Job(p *program.Program) *cobra.Command {
	c := &cobra.Command{
		Use:     "job COMMAND",
		Short:   "Share jobs among machines, and show their progress",
		Long:    `Serves "omnibucket sync" with --shard and --journal.`,
		Example: "  omnibucket job status 's3://migration-state/journals/?region=eu-west-1'\n  omnibucket job status --json ./journals",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(&cobra.Command{
		Use:   "status FOLDER",
		Short: "Show the progress of all jobs of a folder",
		Long: `Adds up what all commands with --journal FOLDER have done. A shard has begun if a command
works on it or was interrupted there; its figures are ten seconds old at most. A shard is done
until it is begun again.`,
		Example: "  omnibucket job status 's3://migration-state/journals/?region=eu-west-1'\n  omnibucket job status --json ./journals",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return jobStatus(c.Context(), p, args[0]) },
	})
	c.AddCommand(splitCommand(p))
	return c
}

// A jobState is the progress of a job, which "job status" prints. Its numbers are totals over all
// shards.
type jobState struct {
	Source      string     `json:"source"`
	Destination string     `json:"destination"`
	Shards      int        `json:"shards"`
	Done        int        `json:"done"`
	Begun       int        `json:"begun"`
	Transferred int64      `json:"transferred"`
	Skipped     int64      `json:"skipped"`
	Deleted     int64      `json:"deleted"`
	Bytes       int64      `json:"bytes"`
	LastEnd     *time.Time `json:"last_end,omitempty"`
}

// has reports whether a part belongs to the current run of the job. An earlier run may have had
// another number of shards.
func (s *jobState) has(part string) bool {
	return part == "all" && s.Shards == 1 || strings.HasSuffix(part, fmt.Sprintf("-of-%d", s.Shards))
}

func (s *jobState) add(r partReport) {
	s.Transferred += r.Transferred
	s.Skipped += r.Skipped
	s.Deleted += r.Deleted
	s.Bytes += r.Bytes
	if !r.Ended.IsZero() && (s.LastEnd == nil || r.Ended.After(*s.LastEnd)) {
		s.LastEnd = &r.Ended
	}
}

func jobStatus(ctx context.Context, p *program.Program, folder string) error {
	state, err := journalBucket(ctx, p, folder, false, func(c storage.Core) storage.Core { return c })
	if err != nil {
		return err
	}
	jobs := map[string]*jobState{}
	if state != nil {
		// In a dry run, the directory may be missing.
		err = readJobs(ctx, state, jobs)
	}
	if err == nil && len(jobs) == 0 {
		err = &storage.Error{
			Code: storage.ObjectNotFound,
			Op:   "JobStatus",
			Key:  folder,
			Err:  errors.New("the folder has no jobs"),
			Hint: "name the folder of --journal",
		}
	}
	if err != nil {
		return err
	}
	return printJobs(p, jobs)
}

// readJobs reads the state of all jobs: it adds the reports of finished parts and the journals of
// unfinished parts.
func readJobs(ctx context.Context, state storage.Bucket, jobs map[string]*jobState) error {
	err := eachObject(ctx, state, reportPrefix, func(name string, text []byte) error {
		r, err := parseReport(reportPrefix+name, text)
		if err != nil {
			return err
		}
		s := &jobState{Source: r.Source, Destination: r.Destination, Shards: r.Shards, Done: len(r.Done)}
		for _, part := range r.Done {
			s.add(part)
		}
		jobs[name] = s
		return nil
	})
	if err != nil {
		return err
	}
	return eachObject(ctx, state, journalPrefix, func(name string, text []byte) error {
		job, shard, _ := strings.Cut(name, "-")
		var part partReport // the object may be a journal, which has the fields of a partReport, too
		if s := jobs[job]; s != nil && s.has(shard) && json.Unmarshal(text, &part) == nil {
			s.Begun++
			s.add(part)
		}
		return nil
	})
}

// eachObject calls do with the content of each object whose name begins with a prefix. It skips an
// object that is removed in the meantime.
func eachObject(ctx context.Context, b storage.Bucket, prefix string, do func(name string, text []byte) error) error {
	for entry, err := range b.List(ctx, storage.WithAnyOrder(), storage.WithPrefix(prefix)) {
		if err != nil {
			return err
		}
		text, _, err := storage.ReadAll(ctx, b, entry.Key)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			continue
		}
		if err == nil {
			err = do(strings.TrimSuffix(strings.TrimPrefix(entry.Key, prefix), ".json"), text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func printJobs(p *program.Program, jobs map[string]*jobState) error {
	sorted := make([]*jobState, 0, len(jobs))
	for _, s := range jobs {
		sorted = append(sorted, s)
	}
	slices.SortFunc(sorted, func(a, b *jobState) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.Destination, b.Destination))
	})
	for _, s := range sorted {
		if err := s.print(p); err != nil {
			return err
		}
	}
	return p.Out.Err
}

func (s *jobState) print(p *program.Program) error {
	if p.Global.JSON {
		return p.Out.JSON(s)
	}
	last := "" // "" if no part has ended
	if s.LastEnd != nil {
		last = console.FormatTime(*s.LastEnd)
	}
	return p.Out.Table([][2]string{
		{"source", s.Source}, {"destination", s.Destination},
		{"shards", fmt.Sprintf("%d: %d done, %d begun", s.Shards, s.Done, s.Begun)},
		{
			"files",
			fmt.Sprintf(
				"%d transferred (%s), %d the same, %d deleted", s.Transferred, console.FormatSize(s.Bytes), s.Skipped,
				s.Deleted,
			),
		},
		{"last end", last},
	})
}
