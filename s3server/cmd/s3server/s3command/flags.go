package s3command

import (
	"flag"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/argument"
)

// DefaultListen is the address at which the server listens for S3 requests by default.
const DefaultListen = "127.0.0.1:9000"

// Flags has the values of the command-line flags for an S3 server. [Flags.Serve] runs the server.
type Flags struct {
	Listen string // address at which S3 is served; [Flags.Register] adds no flag for it
	Health string // URL of a server to check with [CheckHealth]; "" to run a server instead

	create    names
	domains   names
	region    string
	isStrict  bool
	webhook   string
	targets   names
	day       time.Duration
	maxBytes  size
	tls       bool
	caFile    string
	certFile  string
	keyFile   string
	accessLog string
	metrics   string
	readyFile string
	admin     bool
	manifest  string
	console   string
	minio     bool   // true if the arguments were those of MinIO's server
	certsDir  string // value of MinIO's flag --certs-dir
}

// RegisterHosts adds the flag --domain to a set. Servers for other protocols than S3 use
// RegisterHosts, too.
func (f *Flags) RegisterHosts(set *flag.FlagSet) {
	set.Var(&f.domains, "domain", "take the subdomains of this `name` for buckets; repeatable")
}

// Register adds all flags except those of [Flags.RegisterHosts] to a set. In the help texts, back
// quotes mark the name of a flag's value.
func (f *Flags) Register(set *flag.FlagSet) {
	set.Var(&f.create, "create", "create this `bucket`, unless it exists; repeatable, also with commas")
	set.StringVar(
		&f.region, "region", "",
		"accept only this `region` in signatures and locations of buckets; the default is us-east-1, and to accept every region",
	)
	set.BoolVar(
		&f.isStrict, "strict", false,
		"refuse what AWS refuses and other servers allow, such as any region or a public policy on a new bucket",
	)
	set.StringVar(
		&f.webhook, "webhook", "",
		"post the events that notification configurations of buckets ask for to this `URL`",
	)
	set.Var(
		&f.targets, "event-target",
		"with --webhook, let notification configurations name this `ARN` of a topic, queue or function, in which * stands for anything; repeatable; the default is every topic whose name is events",
	)
	set.DurationVar(
		&f.day, "lifecycle-day", 0,
		"how long a day of a lifecycle rule takes, such as 1s; the default is 24h, with midnights in UTC",
	)
	set.Var(
		&f.maxBytes, "max-bytes",
		"refuse writes when objects take more memory than this `size`, such as 512MiB; the default is no limit",
	)
	set.BoolVar(&f.tls, "tls", false, "serve HTTPS with a new certificate")
	set.StringVar(&f.caFile, "ca-file", "", "with --tls, write the certificate to this PEM `file`, for clients")
	set.StringVar(&f.certFile, "cert", "", "serve HTTPS with the certificate in this PEM `file`")
	set.StringVar(&f.keyFile, "key", "", "the PEM `file` with the key of --cert")
	set.StringVar(&f.accessLog, "access-log", "", "append a line for each request to this `file`; - is standard error")
	set.BoolVar(&f.admin, "admin", false,
		"serve the API that makes the server misbehave, under /_admin/, and print its token")
	set.StringVar(&f.metrics, "metrics", "", "serve metrics for Prometheus at this `address`, under /metrics")
	set.StringVar(
		&f.readyFile, "ready-file", "",
		"write the URL to this `file` when requests are accepted, and remove it at the end",
	)
	set.StringVar(&f.manifest, "manifest", "", "have the users and buckets of this JSON `file` from the start")
	set.StringVar(
		&f.console, "console-address", "",
		"serve the console at this `address`; off means nowhere; the default is a free port of 127.0.0.1 if the server generates credentials and listens on a loopback address, and else nowhere",
	)
	set.StringVar(&f.Health, "health", "", "do not serve: exit with 0 if the server at this `URL` is healthy")
}

// names is the value of a flag that may be repeated.
type names []string

func (n *names) String() string { return strings.Join(*n, ",") }

// Set adds a name, or several names with commas between them.
func (n *names) Set(text string) error {
	*n = append(*n, strings.Split(text, ",")...)
	return nil
}

// check fails if a flag is invalid, contradicts another one, or needs another one.
func (f *Flags) check() error {
	if (f.certFile == "") != (f.keyFile == "") {
		return argument.Invalid("--cert", "and --key must be used together", "")
	}
	if f.tls && f.certFile != "" {
		return argument.Invalid("--tls", "must not be used with --cert", "--tls makes a certificate; leave out one of them")
	}

	// The other flags make sense only with certain values.
	if len(f.targets) > 0 && f.webhook == "" {
		return argument.Invalid("--event-target", "must be used with --webhook", "")
	}
	if f.day < 0 {
		return argument.Invalid("--lifecycle-day", "must not be negative", "")
	}
	if f.tls && f.console != "" && f.console != consoleOff && !isLoopback(f.console) {
		return argument.Invalid(
			"--console-address", "must be a loopback address with --tls",
			"use --cert and --key, with which the console has TLS, too",
		)
	}
	if f.caFile != "" && !f.tls {
		return argument.Invalid("--ca-file", "must be used with --tls", "")
	}
	return nil
}
