package main

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"sync"
)

// trust makes this process trust the certificates of a location, beside those of the system. It fails
// for other certificates than those of an earlier call, because Go reads the system's only once.
//
// That is no limit in practice, because Velero starts a process for each location that it works on.
func trust(certificates string) error {
	if certificates == "" {
		return nil
	}
	hasCertificate := x509.NewCertPool().AppendCertsFromPEM([]byte(certificates))
	if !hasCertificate {
		return invalid(keyCACert, "must have a certificate in PEM", "check caCertRef or caCert of spec.objectStorage")
	}

	trusted.Lock()
	defer trusted.Unlock()
	if trusted.certificates == certificates {
		return nil
	}
	if trusted.certificates != "" {
		return invalid(keyCACert, "must be the same for all locations of a process", "")
	}
	if err := addCertificates(certificates); err != nil {
		return within(keyCACert, err)
	}
	trusted.certificates = certificates
	return nil
}

// trusted has the certificates that trust has added.
var trusted struct {
	sync.Mutex
	certificates string
}

// addCertificates adds certificates to those of the system, and also those of AWS_CA_BUNDLE, which
// would otherwise replace the system's for S3. It leaves no file behind, because Velero starts a
// process each minute.
func addCertificates(certificates string) (err error) {
	bundle, err := takeBundle()
	if err != nil {
		return err
	}
	certificates += bundle

	// x509 reads the certificates from a directory, which may be removed once they are read.
	dir, err := os.MkdirTemp("", programName+"-")
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, os.RemoveAll(dir))
	}()

	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), []byte(certificates), 0o600); err != nil {
		return err
	}
	if err := os.Setenv("SSL_CERT_DIR", systemDirs()+":"+dir); err != nil {
		return err
	}
	// The first call of SystemCertPool reads the directory, and later calls return the same certificates.
	_, err = x509.SystemCertPool()
	return err
}

// takeBundle returns the certificates of AWS_CA_BUNDLE after a line break, or "" if it is not set. It unsets the variable,
// because the SDK for S3 would trust only these certificates.
func takeBundle() (string, error) {
	bundle := os.Getenv("AWS_CA_BUNDLE")
	if bundle == "" {
		return "", nil
	}
	text, err := os.ReadFile(bundle)
	if err != nil {
		return "", err
	}
	return "\n" + string(text), os.Unsetenv("AWS_CA_BUNDLE")
}

// systemDirs returns the directories of the system's certificates.
func systemDirs() string {
	if dirs := os.Getenv("SSL_CERT_DIR"); dirs != "" {
		return dirs
	}
	// These are the directories of package crypto/x509 on Linux.
	return "/etc/ssl/certs:/etc/pki/tls/certs"
}
