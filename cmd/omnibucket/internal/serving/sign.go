package serving

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// signFlags are the flags of sign.
type signFlags struct {
	upload, ifAbsent               bool
	literal                        bool
	ttl                            string
	contentType, filename, version string
	disposition                    string
	head                           bool
	size                           int64
	isGiven                        func(flag string) bool
}

// Sign returns the command sign, which signs a URL for one object.
func Sign(p *program.Program) *cobra.Command {
	var f signFlags
	c := &cobra.Command{
		Use:   "sign [flags] LOCATION",
		Short: "Sign a URL with which anyone can read or upload one object for a while",
		Long: `Prints a URL with which anyone can read one object until the URL expires. With
--upload, prints a curl command that uploads FILE. Keep either secret while it is valid.
For file: and mem: buckets, set signing_base_url= in the address to the URL at which
"omnibucket serve" or package serve runs. Wildcards are expanded for downloads.
` + program.WildcardHelp,
		Example: `  omnibucket sign --ttl 10m --filename report.pdf gs://photos/reports/42.pdf
  omnibucket sign --upload --content-type image/jpeg 's3://photos/new.jpg?region=eu-west-1'
  omnibucket sign 'file:///srv/files?signing_base_url=http://127.0.0.1:8080/.signed#report.pdf'`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f.isGiven = c.Flags().Changed
			return sign(c.Context(), p, &f, args[0])
		},
	}

	flags := c.Flags()
	flags.BoolVar(&f.upload, "upload", false, "sign an upload instead of a download")
	flags.StringVar(&f.ttl, "ttl", "1h", "`duration` for which the URL is valid, from 1s to 7d")
	flags.StringVar(&f.contentType, "content-type", "", "content `type` of the upload, or of the download's response")
	flags.Int64Var(&f.size, "size", 0, "size of the upload in `bytes`")
	flags.BoolVar(&f.ifAbsent, "if-absent", false, "let the upload create an object, but not replace one")
	flags.StringVar(&f.filename, "filename", "", "`name` under which a browser saves the download")
	flags.StringVar(
		&f.disposition, "disposition", "",
		"Content-`Disposition` of the download, such as inline, with which a browser shows it",
	)
	flags.BoolVar(&f.head, "head", false, "sign a HEAD request, which reads only the attributes")
	flags.StringVar(&f.version, "version", "", "download this `version`")
	program.LiteralFlag(c, &f.literal)
	return c
}

// sign prints a URL for each object that text names. The key of an upload is literal, because its
// object need not exist.
func sign(ctx context.Context, p *program.Program, f *signFlags, text string) error {
	isLiteral := f.literal || f.upload
	return p.EachMatch(ctx, text, isLiteral, func(b storage.Bucket, l location.Location) error {
		return signOne(ctx, p, f, b, l.Key)
	})
}

// signOne prints a URL, or a command that uses it, for one object.
func signOne(ctx context.Context, p *program.Program, f *signFlags, bucket storage.Bucket, key string) error {
	ttl, err := argument.Duration("--ttl", f.ttl)
	if err != nil {
		return err
	}

	var signedURL *storage.SignedURL
	if f.upload {
		signedURL, err = signedUpload(ctx, f, bucket, key, ttl)
	} else {
		signedURL, err = signedDownload(ctx, f, bucket, key, ttl)
	}
	if err != nil {
		return err
	}

	switch {
	case p.Global.JSON:
		return p.Out.JSON(signedURL)
	case f.upload:
		p.Out.Printf("%s\n", Curl(signedURL))
	default:
		p.Out.Printf("%s\n", signedURL.URL)
	}
	return nil
}

// signedDownload returns a URL with which anyone can read an object. It refuses flags that only an
// upload has.
func signedDownload(
	ctx context.Context, f *signFlags, b storage.SignedDownloader, key string, ttl time.Duration,
) (*storage.SignedURL, error) {
	if f.isGiven("size") || f.ifAbsent {
		return nil, argument.Invalid("--size and --if-absent must be used with --upload", "use --upload to sign an upload")
	}

	if f.isGiven("filename") && f.isGiven("disposition") {
		return nil, argument.Invalid(
			"--filename and --disposition must not be used together",
			`write the name as in --disposition 'inline; filename="report.pdf"'`,
		)
	}

	opts := []storage.SignedDownloadOption{storage.WithTTL(ttl)}
	if f.head {
		opts = append(opts, storage.WithMethod(http.MethodHead))
	}
	if f.isGiven("disposition") {
		opts = append(opts, storage.WithResponseContentDisposition(f.disposition))
	}
	if f.isGiven("content-type") {
		opts = append(opts, storage.WithResponseContentType(f.contentType))
	}
	if f.isGiven("filename") {
		opts = append(opts, storage.WithDownloadName(f.filename))
	}
	if f.isGiven("version") {
		opts = append(opts, storage.WithVersion(f.version))
	}
	return b.SignedDownloadURL(ctx, key, opts...)
}

// signedUpload returns a URL with which anyone can upload an object. It refuses flags that only a
// download has.
func signedUpload(
	ctx context.Context, f *signFlags, b storage.SignedUploader, key string, ttl time.Duration,
) (*storage.SignedURL, error) {
	if f.isGiven("filename") || f.isGiven("disposition") || f.isGiven("version") || f.head {
		return nil, argument.Invalid("--filename, --disposition, --head and --version must not be used with --upload", "")
	}
	opts := []storage.SignedUploadOption{storage.WithTTL(ttl)}
	if f.isGiven("content-type") {
		opts = append(opts, storage.WithContentType(f.contentType))
	}
	if f.isGiven("size") {
		opts = append(opts, storage.WithSize(f.size))
	}
	if f.ifAbsent {
		opts = append(opts, storage.IfAbsent())
	}
	return b.SignedUploadURL(ctx, key, opts...)
}

// Curl returns a command line that uploads the file FILE to a signed URL with curl, quoted for a
// POSIX shell.
func Curl(signedURL *storage.SignedURL) string {
	var b strings.Builder
	b.WriteString("curl -T FILE")
	if strings.ContainsAny(signedURL.URL, "[]{}") {
		// Without this flag, curl would expand these characters.
		b.WriteString(" --globoff")
	}
	if signedURL.Method != http.MethodPut {
		b.WriteString(" -X " + ShellQuote(signedURL.Method))
	}
	for _, name := range slices.Sorted(maps.Keys(signedURL.Header)) {
		for _, value := range signedURL.Header[name] {
			b.WriteString(" -H " + ShellQuote(name+": "+value))
		}
	}
	return b.String() + " " + ShellQuote(signedURL.URL)
}

// ShellQuote quotes text as one word of a POSIX shell.
func ShellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
