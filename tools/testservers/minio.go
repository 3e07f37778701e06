package main

import (
	"os"
	"path/filepath"
)

// MinIO checks signatures, checksums, conditions on Put and Complete, and versions.
var minio = goTool{module: "minio", pkg: "github.com/minio/minio"}

const (
	minioKey    = "minioadmin"
	minioSecret = "minioadmin-secret"
	// The key of SSE-KMS, which encrypts only objects whose request asks for it.
	minioKMSKey    = "omnibucket"
	minioKMSSecret = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
)

func launchMinIO(p instance) (launch, error) {
	// The default is a directory in the user's home, in which a certificate would
	// turn TLS on.
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
			"MINIO_SITE_REGION=us-east-1", // otherwise it accepts signatures for any region
			"MINIO_BROWSER=off",
			"MINIO_KMS_SECRET_KEY=" + minioKMSKey + ":" + minioKMSSecret,
			"MINIO_UPDATE=off",
		},
		// Unlike health/ready, this waits until accounts and buckets are loaded.
		ready:     "http://" + p.host + "/minio/health/cluster",
		url:       "http://" + p.host,
		variables: map[string]string{"KEY": minioKey, "SECRET": minioSecret, "KMS_KEY": minioKMSKey},
	}, nil
}

// launchMinIOWithTLS starts MinIO for features that an SDK uses only over TLS, such
// as bodies that cannot be read twice, and for SSE-C, which MinIO refuses without.
func launchMinIOWithTLS(p instance) (launch, error) {
	l, err := launchMinIO(p)
	if err != nil {
		return launch{}, err
	}
	certificates := filepath.Join(p.dir, "certs")
	authority := filepath.Join(p.dir, "authority.crt")
	pool, err := writeCertificate(
		authority, filepath.Join(certificates, "public.crt"), filepath.Join(certificates, "private.key"),
	)
	if err != nil {
		return launch{}, err
	}
	l.client = clientTrusting(pool)
	l.ready = "https://" + p.host + "/minio/health/cluster"
	l.url = "https://" + p.host
	l.variables["CA"] = authority
	return l, nil
}
