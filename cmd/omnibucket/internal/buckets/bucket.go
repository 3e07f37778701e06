// Package buckets has the commands for whole buckets: bucket, mb and rb.
package buckets

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/bucketrules"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/reading"
)

// bucketFlags are the flags of bucket.
type bucketFlags struct {
	versioning, public         string
	cors, lifecycle, retention string
	softDelete                 string
}

// Bucket returns the command bucket, which shows or changes the settings of a bucket.
func Bucket(p *program.Program) *cobra.Command {
	var f bucketFlags
	c := &cobra.Command{
		Use:   "bucket [flags] LOCATION",
		Short: "Show or change the settings of a bucket",
		Long: `Shows the settings of a bucket, or changes those whose flags are given. FILE has the JSON
array of rules that --json shows, or S3's, or is "-" for standard input; an empty array, or
"none" in place of FILE, removes all rules. A rule may leave members out:
  [{"origins": ["https://example.com"], "methods": ["GET", "PUT"],
    "allowedHeaders": ["content-type"], "exposedHeaders": ["etag"], "maxAge": "1h"}]
  [{"id": "tmp", "prefix": "tmp/", "tags": {"kind": "draft"}, "expireAfterDays": 7,
    "expireOldVersionsAfterDays": 30, "abortUploadsAfterDays": 2,
    "transitionAfterDays": 90, "transitionTo": "GLACIER"}]

--retention is "governance:DAYS" or "compliance:DAYS", which locks each new object, or "none".
Versioning cannot be switched off on every store; some suspend it.`,
		Example: `  omnibucket bucket --json 's3://photos?region=eu-west-1'
  omnibucket bucket --versioning on --public off gs://photos
  omnibucket bucket --cors cors.json 's3://photos?region=eu-west-1'
  omnibucket bucket --lifecycle none file:///srv/photos`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			opts, err := bucketOptions(p, c, &f)
			if err != nil {
				return err
			}
			return bucket(c.Context(), p, args[0], opts)
		},
	}

	flags := c.Flags()
	flags.StringVar(&f.versioning, "versioning", "", "keep old versions of objects: on or off")
	flags.StringVar(&f.public, "public", "", "let anyone read all objects: on or off")
	flags.StringVar(&f.cors, "cors", "", "replace the CORS rules by those of this `file`")
	flags.StringVar(&f.lifecycle, "lifecycle", "", "replace the lifecycle rules by those of this `file`")
	flags.StringVar(&f.retention, "retention", "", "lock new objects by default: `MODE:DAYS`, or none")
	flags.StringVar(
		&f.softDelete, "soft-delete", "",
		"keep what is removed for good for this `duration`; 0s for not at all",
	)
	return c
}

// bucketOptions converts the flags that are given to options for a bucket.
func bucketOptions(p *program.Program, c *cobra.Command, f *bucketFlags) ([]storage.BucketOption, error) {
	var opts []storage.BucketOption

	if c.Flags().Changed("versioning") {
		isOn, err := parseSwitch("--versioning", f.versioning)
		if err != nil {
			return nil, err
		}
		opts = append(opts, storage.WithVersioning(isOn))
	}

	if c.Flags().Changed("public") {
		isOn, err := parseSwitch("--public", f.public)
		if err != nil {
			return nil, err
		}
		opts = append(opts, storage.WithPublicAccess(isOn))
	}

	if c.Flags().Changed("cors") {
		rules, err := readRules(p, "--cors", f.cors, bucketrules.ParseCORS)
		if err != nil {
			return nil, err
		}
		opts = append(opts, storage.WithCORS(rules...))
	}

	if c.Flags().Changed("lifecycle") {
		rules, err := readRules(p, "--lifecycle", f.lifecycle, bucketrules.ParseLifecycle)
		if err != nil {
			return nil, err
		}
		opts = append(opts, storage.WithLifecycle(rules...))
	}

	if c.Flags().Changed("retention") {
		mode, days, err := parseRetention(f.retention)
		if err != nil {
			return nil, err
		}
		opts = append(opts, storage.WithDefaultRetention(mode, days))
	}

	if c.Flags().Changed("soft-delete") {
		duration, err := argument.Duration("--soft-delete", f.softDelete)
		if err != nil {
			return nil, err
		}
		opts = append(opts, storage.WithSoftDelete(duration))
	}
	return opts, nil
}

// parseSwitch parses the value of a flag, which must be "on" or "off".
func parseSwitch(flag, text string) (isOn bool, err error) {
	switch text {
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return false, argument.Invalid(flag+" must be on or off", "")
}

// readRules reads rules from a file, or from standard input if path is "-". The path "none" means no rules.
func readRules[T any](p *program.Program, flag, path string, parse func(io.Reader) ([]T, error)) ([]T, error) {
	if path == "none" {
		return nil, nil
	}
	src := p.Around.In
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, argument.OfPath(path, err)
		}
		defer file.Close()
		src = file
	}

	rules, err := parse(src)
	if err != nil {
		return nil, argument.Invalid(flag+" must be a file with a JSON array of rules: "+err.Error(),
			`see "omnibucket bucket --help"; to remove all rules, use "none"`)
	}
	return rules, nil
}

// parseRetention parses the value of --retention, such as "governance:30". For "none", it returns the zero values.
func parseRetention(text string) (mode storage.RetentionMode, days int, err error) {
	if text == "none" {
		return "", 0, nil
	}

	modeText, daysText, _ := strings.Cut(text, ":")
	mode = storage.RetentionMode(modeText)
	isMode := mode == storage.Governance || mode == storage.Compliance
	days, err = strconv.Atoi(daysText)
	if err != nil || days < 1 || !isMode {
		return "", 0, argument.Invalid(`--retention must be "governance:DAYS", "compliance:DAYS" or "none"`, "")
	}
	return mode, days, nil
}

// bucket changes the settings of a bucket as opts say, or prints the settings if there are no opts.
func bucket(ctx context.Context, p *program.Program, text string, opts []storage.BucketOption) error {
	l, err := p.Stores.LocateInBucket(text)
	if err != nil {
		return err
	}
	if len(opts) == 0 {
		return reading.StatBucket(ctx, p, l, p.Global.JSON)
	}

	return p.Stores.UseService(ctx, l, func(s storage.Service, bucket string) error {
		_, err := s.UpdateBucket(ctx, bucket, opts...)
		if err := program.IgnoreDryRun(err); err != nil {
			return err
		}
		if p.Global.DryRun {
			// The bucket must exist, but this user may lack permission to read its settings.
			info, err := s.BucketInfo(ctx, bucket)
			mayBeMissing := info == nil && err != nil
			if mayBeMissing {
				return err
			}
		}
		p.Emit(program.Event{Event: "changed", Key: bucket}, "changed "+p.Out.Printable(bucket))
		return nil
	})
}
