package main

import (
	"os"
	"path/filepath"
)

// versitygw is the server Versity S3 Gateway. Tests use it for two features that MinIO lacks: a
// removal with If-Match, and CORS rules of a bucket. The tests of CORS rules send preflight
// requests, as a browser does. The file system of the server's directory must support extended
// attributes.
var versitygw = goTool{module: "versitygw", pkg: "github.com/versity/versitygw/cmd/versitygw"}

const (
	versitygwKey    = "versitygw"
	versitygwSecret = "versitygw-secret"
)

// launchVersityGW prepares versitygw with a directory for objects and one for old versions.
func launchVersityGW(p instance) (launch, error) {
	// versitygw does not permit that one of these paths is a prefix of the other.
	data := filepath.Join(p.dir, "data")
	versions := filepath.Join(p.dir, "versions")
	for _, dir := range []string{data, versions} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return launch{}, err
		}
	}
	const health = "/-/health" // no bucket can have the name "-"
	return launch{
		args: []string{
			"--port", p.host, "--region", "us-east-1", "--health", health, "--quiet", "posix", "--versioning-dir", versions,
			data,
		},
		env: []string{
			"ROOT_ACCESS_KEY=" + versitygwKey,
			"ROOT_SECRET_KEY=" + versitygwSecret,
		},
		ready:     "http://" + p.host + health,
		url:       "http://" + p.host,
		variables: map[string]string{"KEY": versitygwKey, "SECRET": versitygwSecret},
	}, nil
}
