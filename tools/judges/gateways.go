package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"filippo.io/age"
)

// A store is a server, started by testservers, in which a gateway stores its objects.
type store struct {
	name    string
	address func(endpoint string) (address string, env []string)
}

var minioStore = store{"MINIO", func(endpoint string) (string, []string) {
	query := url.Values{"endpoint": {endpoint}, "path_style": {"true"}, "region": {"us-east-1"}, "profile": {"minio"}}
	return "s3://?" + query.Encode(), []string{
		"AWS_ACCESS_KEY_ID=" + os.Getenv("OMNIBUCKET_TEST_MINIO_KEY"),
		"AWS_SECRET_ACCESS_KEY=" + os.Getenv("OMNIBUCKET_TEST_MINIO_SECRET"),
	}
}}

var azuriteStore = store{"AZURITE", func(endpoint string) (string, []string) {
	account := os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT")
	query := url.Values{"endpoint": {endpoint}, "account": {account}}
	return "azblob://?" + query.Encode(), []string{
		"AZURE_STORAGE_ACCOUNT=" + account, "AZURE_STORAGE_KEY=" + os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY"),
	}
}}

// program returns the path of the command omnibucket. The first call builds it.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "omnibucket-judges-*")
	if err != nil {
		return "", err
	}
	c := exec.Command("go", "build", "-o", filepath.Join(dir, "omnibucket"), ".")
	c.Dir = filepath.Join("..", "..", "cmd", "omnibucket")
	c.Stderr = os.Stderr
	return filepath.Join(dir, "omnibucket"), c.Run()
})

// identity returns the key with which gateways encrypt. All gateways have the same key, so that
// each suite can read the buckets of earlier suites.
var identity = sync.OnceValues(age.GenerateX25519Identity)

// cacheAndEncrypt is the configuration of two layers, diskcache and encrypt. DIR is replaced by a
// directory.
const cacheAndEncrypt = "{diskcache: {dir: DIR/cache}}, {encrypt: {identity_variable: JUDGES_IDENTITY}}"

// gateway returns a function that runs "omnibucket serve --s3" in front of a store, with layers and
// one account. others lists the additional stores that the layers need, such as the
// second store of a mirror. If others is not empty, the gateway has only one bucket.
func gateway(s store, layers string, others ...store) func(overTLS bool) (runningServer, error) {
	return func(overTLS bool) (runningServer, error) { return startGateway(s, layers, others, overTLS) }
}

// startGateway starts "omnibucket serve --s3" as a process, and waits until it prints its address.
func startGateway(s store, layers string, others []store, overTLS bool) (r runningServer, err error) {
	dir, err := os.MkdirTemp("", "omnibucket-judges-*")
	if err != nil {
		return r, err
	}
	if len(others) > 0 {
		r.bucket = "judged-" + strings.ToLower(rand.Text())
	}
	c, err := gatewayCommand(dir, layers, r.bucket, append([]store{s}, others...))
	if err != nil {
		return r, err
	}

	// The gateway has only one account, so the suites also use it as the other one.
	r.main = account{"AKIAJUDGESMAIN", "main-secret"}
	r.other = r.main
	c.Env = append(c.Env, "MINIO_ROOT_USER="+r.main.key, "MINIO_ROOT_PASSWORD="+r.main.secret)
	if overTLS {
		r.certificate = filepath.Join(dir, "certificate.pem")
		c.Args = append(c.Args, "--tls", "--ca-file", r.certificate)
	}

	stdout, err := c.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := c.Start(); err != nil {
		return r, err
	}
	r.stop = func() {
		_ = c.Process.Signal(os.Interrupt)
		_ = c.Wait()
		_ = os.RemoveAll(dir)
	}

	// The first line that the gateway prints is its address.
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		r.stop()
		return r, errors.New("the gateway has not started")
	}
	r.url = strings.TrimSpace(line)
	return r, nil
}

// gatewayCommand returns the command that runs a gateway. It writes the configuration file to dir,
// and creates the bucket in all stores.
func gatewayCommand(dir, layers, bucket string, stores []store) (*exec.Cmd, error) {
	name, err := program()
	if err != nil {
		return nil, err
	}
	identity, err := identity()
	if err != nil {
		return nil, err
	}

	env := append(os.Environ(), "JUDGES_IDENTITY="+identity.String())
	text := "locations:\n"
	for i, s := range stores {
		endpoint := os.Getenv("OMNIBUCKET_TEST_" + s.name)
		if endpoint == "" {
			return nil, fmt.Errorf("the store is not running: start judges with testservers -only %s",
				strings.ToLower(s.name))
		}

		// Without a bucket, the address is that of the account.
		address, vars := s.address(endpoint)
		address = strings.Replace(address, "://", "://"+bucket, 1)
		env = append(env, vars...)
		if bucket != "" {
			if err := gatewayProgram(name, env, "mb", address).Run(); err != nil {
				return nil, err
			}
		}

		// The first store has the layers. Its layers may use the other store.
		if i > 0 {
			text += fmt.Sprintf("  other: %q\n", address)
			continue
		}
		text += fmt.Sprintf("  store: {address: %q, layers: [%s]}\n", address, strings.ReplaceAll(layers, "DIR", dir))
	}

	config := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return gatewayProgram(name, env, "--config", config, "serve", "--s3", "--listen", "127.0.0.1:0", "store:"), nil
}

func gatewayProgram(name string, env []string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Stderr = os.Stderr
	c.Env = env
	return c
}
