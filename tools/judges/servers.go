package main

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server"
)

// A server is a server on which the suites run.
type server struct {
	name  string
	ours  bool
	start func(overTLS bool) (runningServer, error)
	// like is the name of another server, or "". A test that passes on that server must also pass
	// on this one, unless exceptions/layers.tsv has a reason.
	like string
}

var servers = []server{
	{name: "ours", ours: true, start: startOurs},
	{name: "directory", ours: true, start: startDirectory},
	{name: "minio", start: fromEnvironment("MINIO")},
	{name: "versitygw", start: fromEnvironment("VERSITYGW")},
	{name: "gofakes3", start: startGofakes3},
	{name: "gateway-minio", ours: true, start: gateway(minioStore, "")},
	{name: "layers-minio", start: gateway(minioStore, cacheAndEncrypt), like: "gateway-minio"},
	{name: "gateway-azurite", start: gateway(azuriteStore, "")},
	{name: "layers-azurite", start: gateway(azuriteStore, cacheAndEncrypt), like: "gateway-azurite"},
	{name: "mirror-minio", start: gateway(minioStore, "{mirror: other}", azuriteStore), like: "gateway-minio"},
	{
		name:  "overlay-azurite",
		start: gateway(azuriteStore, "{overlay: {old: other}}", minioStore),
		like:  "gateway-azurite",
	},
}

func (s server) title() string    { return s.name }
func (s server) baseName() string { return s.name }

// An account has the credentials of one user.
type account struct{ key, secret string }

// A runningServer describes a server that has been started.
type runningServer struct {
	url         string
	certificate string // path of the certificate that clients must trust, or ""
	main, other account
	bucket      string // the only bucket of the server, or "" if it may have any
	stop        func() // ends the server
}

func (r runningServer) tls() bool { return strings.HasPrefix(r.url, "https:") }

// host returns the host and port of the server.
func (r runningServer) host() string { return r.url[strings.LastIndex(r.url, "/")+1:] }

// environment returns the environment variables from which clients of AWS read the address and the
// credentials.
func (r runningServer) environment() []string {
	env := []string{
		"AWS_ENDPOINT_URL=" + r.url, "AWS_ACCESS_KEY_ID=" + r.main.key, "AWS_SECRET_ACCESS_KEY=" + r.main.secret,
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CA_BUNDLE=", // clears a value that the environment of this program may have
	}
	if r.certificate != "" {
		for _, name := range []string{"AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"} {
			env = append(env, name+"="+r.certificate)
		}
	}
	return env
}

// startDirectory starts our server with a temporary directory as its store.
func startDirectory(overTLS bool) (runningServer, error) {
	path, err := os.MkdirTemp("", "s3server-")
	if err != nil {
		return runningServer{}, err
	}
	service, err := local.NewServiceDriver(path, local.Config{})
	if err != nil {
		return runningServer{}, err
	}
	r, err := startServer(service, overTLS)
	if err != nil {
		return r, err
	}
	stop := r.stop
	r.stop = func() {
		stop()
		_ = service.Close()
		_ = os.RemoveAll(path)
	}
	return r, nil
}

// startOurs starts our server with its default settings and two accounts. It stores objects in
// memory.
func startOurs(overTLS bool) (runningServer, error) { return startServer(nil, overTLS) }

// startServer starts our server with two accounts over a store, or over memory if service is nil.
// Some suites use the second account to test that one account cannot use what the other owns.
func startServer(service driver.ServiceDriver, overTLS bool) (runningServer, error) {
	main := account{"AKIAJUDGESMAIN", "main-secret"}
	other := account{"AKIAJUDGESOTHER", "other-secret"}
	config := s3server.Config{
		Service: service,
		Credentials: []s3server.Credential{
			{AccessKeyID: main.key, SecretKey: main.secret},
			{AccessKeyID: other.key, SecretKey: other.secret, Account: "210987654321"},
		},
	}
	if overTLS {
		config.TLS = &tls.Config{}
	}
	s, err := s3server.Start(config)
	if err != nil {
		return runningServer{}, err
	}
	r := runningServer{url: s.URL, main: main, other: other, stop: s.Close}
	if !overTLS {
		return r, nil
	}

	// The clients read the server's certificate from a file.
	dir, err := os.MkdirTemp("", "omnibucket-judges-*")
	if err != nil {
		return runningServer{}, err
	}
	r.stop = func() {
		s.Close()
		_ = os.RemoveAll(dir)
	}
	r.certificate = filepath.Join(dir, "certificate.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return r, os.WriteFile(r.certificate, certificate, 0o600)
}

// startGofakes3 starts gofakes3, which stores objects in memory. It has no TLS, and does not check
// credentials.
func startGofakes3(bool) (runningServer, error) {
	s := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	anybody := account{"anybody", "anybody-secret"}
	return runningServer{url: s.URL, main: anybody, other: anybody, stop: s.Close}, nil
}

// fromEnvironment returns a function that finds a server that testservers has started. If overTLS
// is true, it finds the server with TLS. For a server with the name NAME, the variables
// OMNIBUCKET_TEST_NAME_OTHER_KEY and OMNIBUCKET_TEST_NAME_OTHER_SECRET may hold the credentials of
// a second account. If they are not set, both accounts are the same.
func fromEnvironment(name string) func(overTLS bool) (runningServer, error) {
	return func(overTLS bool) (runningServer, error) {
		prefix := "OMNIBUCKET_TEST_" + name
		if overTLS && os.Getenv(prefix+"_TLS") != "" {
			prefix += "_TLS"
		}
		root := account{os.Getenv(prefix + "_KEY"), os.Getenv(prefix + "_SECRET")}
		r := runningServer{
			url:         os.Getenv(prefix),
			certificate: os.Getenv(prefix + "_CA"),
			main:        root,
			other:       root,
			stop:        func() {},
		}
		if key := os.Getenv(prefix + "_OTHER_KEY"); key != "" {
			r.other = account{key, os.Getenv(prefix + "_OTHER_SECRET")}
		}
		if r.url == "" {
			return runningServer{}, fmt.Errorf("it is not running: start judges with testservers -only %s", strings.ToLower(name))
		}
		return r, nil
	}
}
