package s3command

import (
	"cmp"
	"flag"
	"os"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/s3server"
)

// minioDefault is both the access key and the secret that MinIO uses if the environment has none.
const minioDefault = "minioadmin"

// ParseMinIO reads arguments of the command "minio server", as Docker Compose files contain them: perhaps the program's
// name, then the word server, then directories and flags in any order. It returns the directories. If args have another
// form, it returns args, and sets no flag.
//
// The caller must have passed the flag set to [Flags.Register] before. The flag set must also have a flag "listen",
// which sets [Flags.Listen].
func (f *Flags) ParseMinIO(set *flag.FlagSet, args []string) (directories []string, err error) {
	if len(args) > 1 && args[0] == "minio" {
		args = args[1:]
	}
	if len(args) == 0 || args[0] != "server" {
		return args, nil
	}

	f.minio = true
	// MinIO has another name for --listen, and two names for the directory of the certificates.
	set.StringVar(&f.Listen, "address", f.Listen, "--listen")
	for _, name := range []string{"certs-dir", "S"} {
		set.StringVar(&f.certsDir, name, "", "a `directory` with public.crt and private.key")
	}
	// These flags of MinIO have no effect here.
	for _, name := range []string{"quiet", "anonymous", "json"} {
		set.Bool(name, false, "")
	}

	// Parse stops at the first directory. Flags may follow it, so parse the rest, too.
	args = args[1:]
	for {
		if err := set.Parse(args); err != nil {
			return nil, err
		}
		if set.NArg() == 0 {
			return directories, checkVolumes(directories)
		}
		directories = append(directories, set.Arg(0))
		args = set.Args()[1:]
	}
}

// checkVolumes fails if the arguments would make MinIO distribute objects over several disks or servers. Several
// directories, a pattern such as /data{1...4} and URLs do so.
func checkVolumes(volumes []string) error {
	if len(volumes) == 0 {
		return nil
	}
	first := volumes[0]
	if len(volumes) == 1 && !strings.Contains(first, "...") && !strings.Contains(first, "://") {
		return nil
	}
	return argument.Invalid(
		"server",
		"must have one directory, because this server has one disk and one node, but has "+strings.Join(volumes, " "),
		"write server /data",
	)
}

// Volumes returns the directories in the variable MINIO_VOLUMES. MinIO serves these if its command
// line names none.
func Volumes(lookup func(string) (string, bool)) ([]string, error) {
	text, _ := lookup("MINIO_VOLUMES")
	volumes := strings.Fields(text)
	return volumes, checkVolumes(volumes)
}

// setFromMinIO sets flags that the command line has not set from MinIO's environment variables. It returns the buckets
// in MINIO_DEFAULT_BUCKETS and the names of the variables that it used.
func (f *Flags) setFromMinIO(
	lookup func(string) (string, bool),
) (buckets []s3server.BucketSetup, variables []string, err error) {
	value := func(name string) string {
		text, _ := lookup(name)
		return strings.TrimSpace(text)
	}

	f.region = cmp.Or(f.region, value("MINIO_REGION"), value("MINIO_SITE_REGION"))
	if names := value("MINIO_DOMAIN"); names != "" && len(f.domains) == 0 {
		f.domains = strings.Split(names, ",")
	}

	buckets, err = defaultBuckets(value("MINIO_DEFAULT_BUCKETS"))
	if err != nil {
		return nil, nil, err
	}

	// A variable that is set counts as used, although a flag of the command line may replace it.
	for _, name := range minioVariables {
		if value(name) != "" {
			variables = append(variables, name)
		}
	}
	return buckets, variables, nil
}

// minioVariables has the variables that the server uses, apart from the credentials. The caller of
// Serve reads MINIO_VOLUMES. Bitnami's image has MINIO_DEFAULT_BUCKETS.
var minioVariables = []string{
	"MINIO_REGION", "MINIO_SITE_REGION", "MINIO_DOMAIN", "MINIO_DEFAULT_BUCKETS", "MINIO_VOLUMES",
}

// defaultBuckets reads the value of MINIO_DEFAULT_BUCKETS, which is a list of buckets such as
// "private,photos:download". The word after a colon is the right that everybody has.
func defaultBuckets(list string) (buckets []s3server.BucketSetup, err error) {
	isSeparator := func(r rune) bool { return r == ',' || r == ';' || r == ' ' }
	for text := range strings.FieldsFuncSeq(list, isSeparator) {
		name, anonymous, _ := strings.Cut(text, ":")
		b := bucketManifest{Name: name, Anonymous: anonymous}
		setup, err := b.setup()
		if err != nil {
			return nil, argument.Invalid("MINIO_DEFAULT_BUCKETS",
				"must be names of buckets, or name:download: "+err.Error(), "")
		}
		buckets = append(buckets, setup)
	}
	return buckets, nil
}

// takeCertificates takes the certificate and its key from the directory --certs-dir, where they have MinIO's file
// names. It changes nothing if there is no certificate, or if another flag names one.
func (f *Flags) takeCertificates() {
	if f.certsDir == "" || f.certFile != "" {
		return
	}
	certificate := filepath.Join(f.certsDir, "public.crt")
	key := filepath.Join(f.certsDir, "private.key")
	if _, err := os.Stat(certificate); err == nil {
		f.certFile = certificate
		f.keyFile = key
	}
}
