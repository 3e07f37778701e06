package s3command

import (
	"flag"
	"os"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/s3server"
)

// minioDefault is the key and the secret that MinIO uses if it gets none.
const minioDefault = "minioadmin"

// ParseMinIO reads the arguments of "minio server", as compose files have them: perhaps the program's
// name, the word server, and directories and flags in any order. set is that of [Flags.Register], and has
// [Flags.Listen] as its flag listen. rest are the directories. If args are no such arguments, it returns
// them as rest.
func (f *Flags) ParseMinIO(set *flag.FlagSet, args []string) (rest []string, err error) {
	if len(args) > 1 && args[0] == "minio" {
		args = args[1:]
	}
	if len(args) == 0 || args[0] != "server" {
		return args, nil
	}
	f.minio = true
	set.StringVar(&f.Listen, "address", f.Listen, "--listen")
	for _, name := range []string{"certs-dir", "S"} {
		set.StringVar(&f.certsDir, name, "", "a `directory` with public.crt and private.key")
	}
	for _, name := range []string{"quiet", "anonymous", "json"} { // nothing is printed that they could hide
		set.Bool(name, false, "")
	}
	for args = args[1:]; ; args = set.Args()[1:] {
		if err := set.Parse(args); err != nil {
			return nil, err
		}
		if set.NArg() == 0 {
			return rest, oneDirectory(rest)
		}
		rest = append(rest, set.Arg(0))
	}
}

// oneDirectory refuses what MinIO would spread objects over: several directories, a pattern of them, or nodes.
func oneDirectory(volumes []string) error {
	if len(volumes) > 1 ||
		len(volumes) == 1 && (strings.Contains(volumes[0], "...") || strings.Contains(volumes[0], "://")) {
		return argument.Invalid(
			"server",
			"must have one directory, because this server has one disk and one node, but has "+strings.Join(
				volumes, " ",
			),
			"write server /data",
		)
	}
	return nil
}

// Volumes returns the directories of MINIO_VOLUMES, which MinIO serves if it gets no argument.
func Volumes(lookup func(string) (string, bool)) ([]string, error) {
	text, _ := lookup("MINIO_VOLUMES")
	volumes := strings.Fields(text)
	return volumes, oneDirectory(volumes)
}

// takeMinIO takes the settings of MinIO's variables, unless flags have them. It returns the buckets that
// MINIO_DEFAULT_BUCKETS wants, and the names of the variables.
func (f *Flags) takeMinIO(
	lookup func(string) (string, bool),
) (buckets []s3server.BucketSetup, used []string, err error) {
	take := func(name string) string {
		text, _ := lookup(name)
		if text = strings.TrimSpace(text); text != "" {
			used = append(used, name)
		}
		return text
	}
	for _, name := range []string{"MINIO_REGION", "MINIO_SITE_REGION"} {
		if region := take(name); f.region == "" {
			f.region = region
		}
	}
	if names := take("MINIO_DOMAIN"); names != "" && len(f.domains) == 0 {
		f.domains = strings.Split(names, ",")
	}
	if names := take("MINIO_DEFAULT_BUCKETS"); names != "" { // of Bitnami's image
		for text := range strings.FieldsFuncSeq(names, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
			name, anonymous, _ := strings.Cut(text, ":")
			b := bucketManifest{Name: name, Anonymous: anonymous}
			setup, err := b.setup()
			if err != nil {
				return nil, nil, argument.Invalid(
					"MINIO_DEFAULT_BUCKETS", "must be names of buckets, or name:download: "+err.Error(), "",
				)
			}
			buckets = append(buckets, setup)
		}
	}
	take("MINIO_VOLUMES") // the caller has read it
	return buckets, used, nil
}

// takeCertificates takes the files that MinIO looks for in --certs-dir, if they are there.
func (f *Flags) takeCertificates() {
	if f.certsDir == "" || f.certFile != "" {
		return
	}
	certificate, key := filepath.Join(f.certsDir, "public.crt"), filepath.Join(f.certsDir, "private.key")
	if _, err := os.Stat(certificate); err == nil {
		f.certFile, f.keyFile = certificate, key
	}
}
