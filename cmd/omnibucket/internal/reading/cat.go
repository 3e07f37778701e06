package reading

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// Cat returns the command cat, which writes objects to standard output.
func Cat(p *program.Program) *cobra.Command {
	var span, version string
	var literal bool
	c := &cobra.Command{
		Use:   "cat [flags] LOCATION...",
		Short: "Write objects to standard output",
		Long: `Writes objects to standard output, one after the other, with the stored bytes:
compressed objects are not decompressed. With --raw, the layers of a location are left
out, and an encrypted object is a file that age decrypts. A range is OFFSET or OFFSET:LENGTH in
bytes; a negative OFFSET counts from the end, and has no LENGTH.
` + program.WildcardHelp,
		Example: `  omnibucket cat gs://logs/2026/11/20.log | head
  omnibucket cat --range 0:512 file:///srv/files#report.pdf
  omnibucket cat --range -1024 's3://logs/app.log?region=eu-west-1'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			opts, err := readOptions(c, span, version)
			if err != nil {
				return err
			}
			return program.Each(c.Context(), p, args, func(text string) error {
				return cat(c.Context(), p, text, literal, opts)
			})
		},
	}

	c.Flags().StringVar(&span, "range", "", "read only this range: `OFFSET[:LENGTH]`")
	c.Flags().StringVar(&version, "version", "", "read this `version`")
	c.Flags().BoolVar(&p.Stores.Raw, "raw", false, "read what the store has, without the layers of the location")
	program.LiteralFlag(c, &literal)
	return c
}

// readOptions returns the options of a download that the flags of cat ask for.
func readOptions(c *cobra.Command, span, version string) ([]storage.DownloadOption, error) {
	var opts []storage.DownloadOption
	if c.Flags().Changed("range") {
		offset, length, err := parseRange(span)
		if err != nil {
			return nil, err
		}
		opts = append(opts, storage.WithRange(offset, length))
	}
	if c.Flags().Changed("version") {
		opts = append(opts, storage.WithVersion(version))
	}
	return opts, nil
}

// parseRange parses OFFSET[:LENGTH]. If there is no length, it returns -1, which means the rest of the object.
func parseRange(text string) (offset, length int64, err error) {
	malformed := argument.Invalid("--range must have the form OFFSET or OFFSET:LENGTH, in bytes", "")
	offsetText, lengthText, hasLength := strings.Cut(text, ":")
	offset, err = strconv.ParseInt(offsetText, 10, 64)
	if err != nil {
		return 0, 0, malformed
	}
	if !hasLength {
		return offset, -1, nil
	}
	length, err = strconv.ParseInt(lengthText, 10, 64)
	if err != nil || length < 0 {
		return 0, 0, malformed
	}
	return offset, length, nil
}

// cat writes the objects that text names, or standard input if text is "-", to standard output.
func cat(ctx context.Context, p *program.Program, text string, literal bool, opts []storage.DownloadOption) error {
	if text != "-" {
		return p.EachMatch(ctx, text, literal, func(b storage.Bucket, l location.Location) error {
			return p.Download(ctx, b, l.Key, opts)
		})
	}

	if len(opts) > 0 {
		return argument.Invalid("--range and --version must not be used with standard input", "")
	}
	src, release := p.Input(ctx)
	defer release()
	_, err := io.Copy(p.Out, src)
	return err
}
