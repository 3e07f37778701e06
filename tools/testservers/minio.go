package main

import (
	"os"
	"path/filepath"
)

// minio is the server MinIO. It checks signatures, checksums, conditions on Put and Complete, and
// versions.
var minio = goTool{module: "minio", pkg: "github.com/minio/minio"}

const (
	minioKey    = "minioadmin"
	minioSecret = "minioadmin-secret"
	// This key is for SSE-KMS. MinIO encrypts an object with it only if the request demands that.
	minioKMSKey    = "omnibucket"
	minioKMSSecret = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
)

func launchMinIO(p instance) (launch, error) {
	// By default, MinIO looks for certificates in the home directory of the user. A certificate
	// there would turn on TLS.
	certificates := filepath.Join(p.dir, "certs")
	if err := os.MkdirAll(certificates, 0o700); err != nil {
		return launch{}, err
	}
	return launch{
		args: []string{
			"server", "--quiet", "--address", p.host, "--certs-dir", certificates, filepath.Join(p.dir, "data"),
		},
		env: []string{
			"MINIO_ROOT_USER=" + minioKey,
			"MINIO_ROOT_PASSWORD=" + minioSecret,
			"MINIO_SITE_REGION=us-east-1", // otherwise a signature for any region is valid
			"MINIO_BROWSER=off",
			"MINIO_KMS_SECRET_KEY=" + minioKMSKey + ":" + minioKMSSecret,
			"MINIO_UPDATE=off",
		},
		// This URL responds only after accounts and buckets were loaded. The URL health/ready
		// responds earlier.
		ready:     "http://" + p.host + "/minio/health/cluster",
		url:       "http://" + p.host,
		variables: map[string]string{"KEY": minioKey, "SECRET": minioSecret, "KMS_KEY": minioKMSKey},
	}, nil
}

// launchMinIOWithTLS starts MinIO with TLS. Some features need TLS. Without TLS, MinIO refuses
// SSE-C, and an SDK does not send a body that it cannot read twice.
func launchMinIOWithTLS(p instance) (launch, error) {
	l, err := launchMinIO(p)
	if err != nil {
		return launch{}, err
	}
	certificates := filepath.Join(p.dir, "certs")
	authority := filepath.Join(p.dir, "authority.crt")
	pool, err := writeCertificate(authority, filepath.Join(certificates, "public.crt"),
		filepath.Join(certificates, "private.key"))
	if err != nil {
		return launch{}, err
	}
	l.client = clientTrusting(pool)
	l.ready = "https://" + p.host + "/minio/health/cluster"
	l.url = "https://" + p.host
	l.variables["CA"] = authority
	return l, nil
}
