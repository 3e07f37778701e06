package main

import (
	"context"
	_ "embed"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed python/packages
var packagesScript []byte

//go:embed python/boto3_test.py
var boto3Test []byte

//go:embed python/leftovers.py
var leftoversPlugin []byte

// preparePython returns a directory with Python packages of Debian 13, such as pytest and boto3.
// They do not replace the packages of the system.
func preparePython(ctx context.Context) (string, error) {
	return ensureCached(ctx, "python-trixie", func(ctx context.Context, dir string) error {
		c := exec.CommandContext(ctx, "bash", "-s", dir)
		c.Stdin = strings.NewReader(string(packagesScript))
		c.Stdout = os.Stderr
		c.Stderr = os.Stderr
		return c.Run()
	})
}

// pytest runs pytest in the directory dir, and returns the results. packages is the directory with
// the Python packages.
func (t task) pytest(ctx context.Context, packages, dir string, env []string, args ...string) ([]result, error) {
	report := filepath.Join(t.dir, "junit.xml")
	env = append(
		env, "PYTHONPATH="+packages+":"+t.dir, "PYTHONPYCACHEPREFIX="+packages+"-compiled",
		"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1",
	)
	flags := []string{"-m", "pytest", "-v", "--tb=native", "-p", "no:cacheprovider", "--junitxml=" + report}
	args = append(flags, args...)
	// The results are in the report, and the output is only logged.
	if _, err := t.command(ctx, dir, env, "python3", args...); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(report)
	if err != nil {
		return nil, err
	}
	return readJUnit(content)
}

// readJUnit reads a JUnit report of pytest. It returns one result for each test, and ignores an
// error of the test's clean-up. If the test and its clean-up fail, the report contains the test
// twice.
func readJUnit(content []byte) ([]result, error) {
	type outcome struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	var report struct {
		Cases []struct {
			Name    string   `xml:"name,attr"`
			Class   string   `xml:"classname,attr"`
			Failure *outcome `xml:"failure"`
			Error   *outcome `xml:"error"`
			Skipped *outcome `xml:"skipped"`
		} `xml:"testsuite>testcase"`
	}
	if err := xml.Unmarshal(content, &report); err != nil {
		return nil, err
	}
	var results []result
	for _, c := range report.Cases {
		if c.Error != nil && strings.HasPrefix(c.Error.Message, "failed on teardown") {
			c.Error = nil
		}
		class := c.Class[strings.LastIndex(c.Class, ".")+1:] // without its module
		r := result{test: class + "." + c.Name}
		switch {
		case c.Skipped != nil:
			r.status = skipped
			r.reason = oneLine(c.Skipped.Message)
		case c.Error != nil:
			r.status = failed
			r.reason = oneLine(c.Error.Message)
		case c.Failure != nil:
			r.status = failed
			r.reason = oneLine(c.Failure.Message)
		default:
			r.status = passed
		}

		i := slices.IndexFunc(results, func(other result) bool { return other.test == r.test })
		if i < 0 {
			results = append(results, r)
			continue
		}
		if r.status == failed {
			results[i] = r
		}
	}
	return results, nil
}

// runBoto3 runs our own short tests with boto3.
func runBoto3(ctx context.Context, t task) ([]result, error) {
	file := filepath.Join(t.dir, "boto3_test.py")
	if err := os.WriteFile(file, boto3Test, 0o644); err != nil {
		return nil, err
	}
	return t.pytest(ctx, t.suitePath, t.dir, nil, file)
}

// s3TestsLeftOut lists the pytest marks of tests that are left out, because they fail on AWS, need
// settings of Ceph, or wait for days.
var s3TestsLeftOut = []string{
	"fails_on_aws", "lifecycle_expiration", "lifecycle_transition", "cloud_transition", "cloud_restore", "appendobject", "bucket_logging",
}

// prepareS3Tests returns the directory with the Python packages. It fails if OMNIBUCKET_S3TESTS is
// not set.
func prepareS3Tests(ctx context.Context) (string, error) {
	if os.Getenv("OMNIBUCKET_S3TESTS") == "" {
		return "", errors.New("set OMNIBUCKET_S3TESTS to a directory with a checkout of ceph/s3-tests")
	}
	return preparePython(ctx)
}

// runS3Tests runs ceph/s3-tests with two accounts of the server: the main account and an
// alternative one.
func runS3Tests(ctx context.Context, t task) ([]result, error) {
	host, port, _ := strings.Cut(t.server.host(), ":")

	// Write the configuration. The suite reads the credentials of an account in several sections.
	var config strings.Builder
	fmt.Fprintf(&config, "[DEFAULT]\nhost = %s\nport = %s\nis_secure = %t\nssl_verify = False\n", host, port, t.server.tls())
	config.WriteString("[fixtures]\nbucket prefix = judged-{random}-\n")
	for _, user := range []struct {
		account
		sections []string
	}{
		{t.server.main, []string{"s3 main", "iam", "iam root"}},
		{t.server.other, []string{"s3 alt", "iam alt root", "s3 tenant"}},
	} {
		id, name, err := t.owner(ctx, user.account)
		if err != nil {
			return nil, err
		}
		for _, section := range user.sections {
			fmt.Fprintf(
				&config,
				"[%s]\naccess_key = %s\nsecret_key = %s\nuser_id = %s\ndisplay_name = %s\nemail = %s@example.com\n",
				section, user.key, user.secret, id, name, name,
			)
		}
	}
	config.WriteString("tenant = other\n") // adds a line to the last section
	file := filepath.Join(t.dir, "s3tests.conf")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		return nil, err
	}

	if err := os.WriteFile(filepath.Join(t.dir, "leftovers.py"), leftoversPlugin, 0o644); err != nil {
		return nil, err
	}
	marks := "not " + strings.Join(s3TestsLeftOut, " and not ")
	return t.pytest(ctx, t.suitePath, os.Getenv("OMNIBUCKET_S3TESTS"), []string{"S3TEST_CONF=" + file},
		"-p", "leftovers", "-m", marks, "s3tests/functional/test_s3.py", "s3tests/functional/test_headers.py")
}

// owner returns the ID and the name that the server reports for an account.
func (t task) owner(ctx context.Context, a account) (id, name string, err error) {
	const script = `import boto3; owner = boto3.client("s3").list_buckets().get("Owner", {}); print(owner.get("ID", ""), owner.get("DisplayName", ""), sep="\t")`
	env := []string{"PYTHONPATH=" + t.suitePath, "AWS_ACCESS_KEY_ID=" + a.key, "AWS_SECRET_ACCESS_KEY=" + a.secret}
	output, err := t.command(ctx, t.dir, env, "python3", "-c", script)
	if err != nil {
		return "", "", err
	}
	id, name, ok := strings.Cut(strings.TrimRight(string(output), "\n"), "\t")
	if !ok {
		return "", "", errors.New("buckets cannot be listed")
	}
	return id, name, nil
}
