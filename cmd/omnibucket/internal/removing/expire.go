package removing

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/transfer"
)

// expireFlags are the flags of expire.
type expireFlags struct {
	filter           program.FilterFlags
	age, oldVersions string
	tags             []string
	lifecycle, all   bool
	inventory        string
}

// Expire returns the command expire, which removes objects and old versions that are older than an
// age.
func Expire(p *program.Program) *cobra.Command {
	var f expireFlags
	c := &cobra.Command{
		Use:   "expire [flags] LOCATION",
		Short: "Remove objects and old versions that are older than an age",
		Long: `Removes the objects in a folder that were written before --age, and old versions that were
replaced or removed before --old-versions. Ages are durations such as 36h, 30d or 2w. A
whole bucket also needs --all. Ages are counted by the clock of the store, for which a small
object is stored in the folder and removed.

With --lifecycle, applies the lifecycle rules of the bucket, for directories and for other
stores that do not apply them.`,
		Example: `  omnibucket expire --age 30d --dry-run 's3://logs/debug/?region=eu-west-1'
  omnibucket expire --old-versions 90d --all gs://photos
  omnibucket expire --lifecycle file:///srv/files`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return expire(c.Context(), p, &f, args[0]) },
	}

	flags := c.Flags()
	flags.StringVar(&f.age, "age", "", "remove objects that were written before this `duration`")
	flags.StringVar(
		&f.oldVersions, "old-versions", "",
		"permanently remove versions that are not current for this `duration`",
	)
	flags.StringArrayVar(&f.tags, "tag", nil, "remove only objects with the tag `key=value`; may be repeated")
	flags.BoolVar(&f.lifecycle, "lifecycle", false, "apply the lifecycle rules of the bucket")
	flags.BoolVar(&f.all, "all", false, "allow a whole bucket")
	program.InventoryFlag(flags, &f.inventory)
	f.filter.Register(c)
	return c
}

// expire removes the objects and versions below a location that are older than the flags say.
func expire(ctx context.Context, p *program.Program, f *expireFlags, text string) error {
	l, err := p.Stores.LocateInBucket(text)
	if err != nil {
		return err
	}

	if err := f.check(l); err != nil {
		return err
	}

	rules, err := expireRules(ctx, p, f, l)
	if err != nil {
		return err
	}
	opts, err := f.filter.Options()
	if err != nil {
		return err
	}

	// Only a bucket that is opened with versions shows old ones.
	if f.oldVersions != "" || f.lifecycle {
		l = program.WithVersions(l)
	}
	bucket, err := p.Stores.OpenFolder(ctx, l)
	if err != nil {
		return err
	}

	inventoryOpts, err := p.Stores.InventoryOption(ctx, f.inventory, bucket)
	if err != nil {
		return err
	}
	opts = append(opts, inventoryOpts...)

	report, err := p.RunJob(func(progressOpts ...transfer.Option) (*transfer.Report, error) {
		return transfer.Expire(ctx, bucket, rules, append(progressOpts, opts...)...)
	})
	err = program.Multiline(err)
	p.Summarize(report, err)
	return err
}

// check refuses flags that cannot be combined, or cannot be used with the location.
func (f *expireFlags) check(l location.Location) error {
	if l.HasWildcard {
		return argument.Invalid("key must not have wildcards", "use --include")
	}
	hasAge := f.age != "" || f.oldVersions != ""
	// Exactly one of the two must be given.
	if f.lifecycle == hasAge {
		return argument.Invalid("--lifecycle, or --age and --old-versions, must be set", "")
	}
	isWholeBucket := l.Prefix == "" && l.Key == ""
	if f.lifecycle && (!isWholeBucket || len(f.tags) > 0) {
		return argument.Invalid("--lifecycle must be used with a whole bucket, and without --tag", "")
	}
	if !f.lifecycle && isWholeBucket && !f.all {
		return argument.Invalid("a whole bucket needs --all", "")
	}
	return nil
}

// expireRules returns the rule that the flags describe or, with --lifecycle, those of the bucket.
func expireRules(
	ctx context.Context, p *program.Program, f *expireFlags, l location.Location,
) ([]transfer.ExpireRule, error) {
	if f.lifecycle {
		return lifecycleRules(ctx, p, l)
	}
	tags, err := argument.ParsePairs("--tag", f.tags)
	if err != nil {
		return nil, err
	}
	age, err := parseAge("--age", f.age)
	if err != nil {
		return nil, err
	}
	oldVersionsAge, err := parseAge("--old-versions", f.oldVersions)
	if err != nil {
		return nil, err
	}
	return []transfer.ExpireRule{{Tags: tags, Age: age, OldVersionsAge: oldVersionsAge}}, nil
}

// parseAge parses the value of a flag as a positive duration. An empty value is 0.
func parseAge(flag, value string) (time.Duration, error) {
	if value == "" {
		return 0, nil
	}
	age, err := argument.Duration(flag, value)
	if err != nil {
		return 0, err
	}
	if age == 0 {
		return 0, argument.Invalid(flag+" must be positive", "")
	}
	return age, nil
}

// lifecycleRules returns the lifecycle rules of a bucket.
func lifecycleRules(ctx context.Context, p *program.Program, l location.Location) ([]transfer.ExpireRule, error) {
	var rules []transfer.ExpireRule
	err := p.Stores.UseService(ctx, l, func(s storage.Service, bucket string) error {
		info, err := s.BucketInfo(ctx, bucket)
		// An error may concern other settings, so it counts only if the rules are missing.
		if info == nil || slices.Contains(info.Unread, "Lifecycle") {
			return err
		}
		rules = transfer.ExpireRules(info.Lifecycle...)
		return nil
	})
	return rules, err
}
