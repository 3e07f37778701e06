package reading

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// Head returns the command head, which writes the first lines or bytes of objects to standard
// output.
func Head(p *program.Program) *cobra.Command {
	var lines, bytes int64
	var version string
	var literal bool
	c := &cobra.Command{
		Use:   "head [flags] LOCATION...",
		Short: "Write the first lines or bytes of objects to standard output",
		Long: `Writes the first ten lines of each object to standard output, or as many lines or bytes as
-n or -c says. Only what is needed is downloaded, or little more.
` + program.WildcardHelp,
		Example: `  omnibucket head 's3://logs/app.log?region=eu-west-1'
  omnibucket head -n 1 'logs:2026/11/*.csv'
  omnibucket head -c 512 file:///srv/files#report.pdf`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("bytes") && c.Flags().Changed("lines") {
				return argument.Invalid("--bytes and --lines must not be used together", "")
			}
			if lines < 0 || bytes < 0 {
				return argument.Invalid("--bytes and --lines must not be negative", "")
			}

			var opts []storage.DownloadOption
			if c.Flags().Changed("version") {
				opts = append(opts, storage.WithVersion(version))
			}
			return program.Each(c.Context(), p, args, func(text string) error {
				return p.EachMatch(c.Context(), text, literal, func(b storage.Bucket, l location.Location) error {
					if c.Flags().Changed("bytes") {
						return headBytes(c.Context(), p, b, l.Key, bytes, opts)
					}
					return headLines(c.Context(), p, b, l.Key, lines, opts)
				})
			})
		},
	}

	c.Flags().Int64VarP(&lines, "lines", "n", 10, "write this `number` of lines")
	c.Flags().Int64VarP(&bytes, "bytes", "c", 0, "write this `number` of bytes")
	c.Flags().StringVar(&version, "version", "", "read this `version`")
	program.LiteralFlag(c, &literal)
	return c
}

// headBytes writes the first n bytes of an object to standard output.
func headBytes(
	ctx context.Context, p *program.Program, b storage.Downloader, key string, n int64, opts []storage.DownloadOption,
) error {
	// The options serve several objects, so an append must not write into their array.
	opts = append(slices.Clip(opts), storage.WithRange(0, n))
	reader, err := b.Download(ctx, key, opts...)
	if err != nil {
		return err
	}
	defer reader.Close()

	_, err = reader.WriteTo(p.Out)
	return err
}

// headLines writes the first lines of an object to standard output.
func headLines(
	ctx context.Context, p *program.Program, b storage.Downloader, key string, lines int64,
	opts []storage.DownloadOption,
) error {
	reader, err := b.Download(ctx, key, opts...)
	if err != nil {
		return err
	}
	defer reader.Close()

	src := bufio.NewReader(reader)
	for lines > 0 {
		line, err := src.ReadSlice('\n')
		if _, writeErr := p.Out.Write(line); writeErr != nil {
			return writeErr
		}
		switch {
		case err == nil:
			lines--
		case errors.Is(err, bufio.ErrBufferFull):
			// The next read returns the rest of the line.
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
	return nil
}
