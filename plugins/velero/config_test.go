package main

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// Errors about the configuration name the key that is wrong.
func TestInitErrors(t *testing.T) {
	t.Setenv("OMNIBUCKET_CONFIG", filepath.Join(t.TempDir(), "missing.yaml"))
	dir := t.TempDir()
	missingFile := filepath.Join(dir, "missing")
	fileWithoutKeys := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(fileWithoutKeys, []byte("# nothing\n"), 0o600))

	tests := []struct {
		name   string
		config map[string]string
		want   string // in the error
	}{
		{name: "no address", config: nil, want: "config key bucketURL must be the address of a bucket"},
		{
			name:   "a path",
			config: map[string]string{"bucketURL": "/srv/backups"},
			want:   "config key bucketURL must be the address of a bucket",
		},
		{
			name:   "an unknown scheme",
			config: map[string]string{"bucketURL": "ftp://backups"},
			want:   "config key bucketURL: ",
		},
		{
			name:   "an account",
			config: map[string]string{"bucketURL": "s3://"},
			want:   `config key bucket must be ""`,
		},
		{
			name:   "an unknown key",
			config: map[string]string{"bucketURL": "mem://backups", "s3Url": "x"},
			want:   "config key s3Url: ",
		},
		{
			name:   "a key in the wrong case",
			config: map[string]string{"bucketUrl": "mem://backups"},
			want:   "config key bucketURL must be",
		},
		{
			name:   "a parameter of another scheme",
			config: map[string]string{"bucketURL": "gs://backups", "region": "x"},
			want:   "config key region: ",
		},
		{
			name:   "a parameter twice",
			config: map[string]string{"bucketURL": "s3://backups?region=a", "region": "b"},
			want:   "config key bucketURL: ",
		},
		{
			name:   "another bucket",
			config: map[string]string{"bucketURL": "mem://others"},
			want:   `config key bucket must be "others"`,
		},
		{
			name:   "a timeout without a unit",
			config: map[string]string{"bucketURL": "mem://backups", "timeout": "60"},
			want:   "config key timeout must be a duration",
		},
		{
			name:   "a short timeout",
			config: map[string]string{"bucketURL": "mem://backups", "timeout": "1ms"},
			want:   "config key timeout must be a duration",
		},
		{
			name:   "an address beside a configuration",
			config: map[string]string{"bucketURL": "mem://backups", "configuration": ""},
			want:   "config key configuration must not be set",
		},
		{
			name: "the name of an unknown location",
			config: map[string]string{
				"bucketURL":     "offsite",
				"configuration": "locations: {backups: 'mem://backups'}",
			},
			want: "known are: backups",
		},
		{
			name:   "a malformed configuration",
			config: map[string]string{"bucketURL": "offsite", "configuration": "locations: ["},
			want:   "configuration: ",
		},
		{
			name:   "the name of a location without a configuration",
			config: map[string]string{"bucketURL": "offsite"},
			want:   "OMNIBUCKET_CONFIG",
		},
		{
			name: "a parameter beside the name of a location",
			config: map[string]string{
				"bucketURL":     "b",
				"configuration": "locations: {b: 'mem://backups'}",
				"public":        "true",
			},
			want: "config key public must not be set",
		},
		{
			name: "credentials beside the name of a location",
			config: map[string]string{
				"bucketURL":     "b",
				"configuration": "locations: {b: 'mem://backups'}",
				"credentials":   "x",
			},
			want: "config key credentials must not be set",
		},
		{
			name:   "a malformed certificate",
			config: map[string]string{"bucketURL": "mem://backups", "caCert": "x"},
			want:   "config key caCert must have a certificate",
		},
		{
			name:   "credentials for memory",
			config: map[string]string{"bucketURL": "mem://backups", "credentialsFile": fileWithoutKeys},
			want:   "config key credentialsFile must not be set",
		},
		{
			name:   "a missing file of credentials",
			config: map[string]string{"bucketURL": "s3://backups", "credentialsFile": missingFile},
			want:   "config key credentialsFile: ",
		},
		{
			name:   "a file without keys for S3",
			config: map[string]string{"bucketURL": "s3://backups", "credentialsFile": fileWithoutKeys},
			want:   "config key credentialsFile: ",
		},
		{
			name:   "a file without a key for Azure",
			config: map[string]string{"bucketURL": "azblob://backups?account=a", "credentialsFile": fileWithoutKeys},
			want:   "config key credentialsFile must have lines",
		},
		{
			name: "two credentials for Google",
			config: map[string]string{
				"bucketURL":       "gs://backups",
				"credentialsFile": fileWithoutKeys,
				"credentials":     "x",
			},
			want: "config key credentials must not be set",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := map[string]string{"bucket": "backups", "prefix": ""}
			for key, value := range tt.config {
				config[key] = value
			}

			require.ErrorContains(t, (&objectStore{}).Init(config), tt.want)
		})
	}
}

// A file of credentials may have several profiles. A location uses the profile that it names with "credentials", and
// otherwise the profile "default".
func TestCredentialsFileOfS3(t *testing.T) {
	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"backups"}})

	// The file has wrong credentials for the profile default, and those of the server for another one.
	key := server.Credentials()
	file := filepath.Join(t.TempDir(), "cloud")
	profiles := "[default]\n" +
		"aws_access_key_id=A\n" +
		"aws_secret_access_key=B\n" +
		"[work]\n" +
		"aws_access_key_id=" + key.AccessKeyID + "\n" +
		"aws_secret_access_key=" + key.SecretKey + "\n"
	require.NoError(t, os.WriteFile(file, []byte(profiles), 0o600))
	config := map[string]string{
		"bucket":          "backups",
		"bucketURL":       "s3://backups/folder?region=us-east-1",
		"endpoint":        server.URL,
		"profile":         "omnibucket",
		"credentialsFile": file,
	}

	// Without a profile, the location uses the wrong credentials.
	s := &objectStore{}
	require.NoError(t, s.Init(config))
	_, err := s.ObjectExists("backups", "x")
	require.ErrorContains(t, err, "permission denied")

	// With the profile, it uses those of the server.
	config["credentials"] = "work"
	require.NoError(t, s.Init(config))
	_, err = s.ObjectExists("backups", "x")
	require.NoError(t, err)
}

// Init fails for a file of credentials that is malformed or belongs to another provider. The error does not quote the
// file.
func TestCredentialsFileErrorsAreSilent(t *testing.T) {
	const secret = "VERYSECRET"
	files := []string{
		`{"type": "service_account", "private_key": "` + secret + `"}`,
		"[default]\naws_secret_access_key = " + secret + "\n",
		"aws_secret_access_key = " + secret + "\n",
		"AZURE_STORAGE_ACCOUNT_ACCESS_KEY=" + secret + "\n",
		secret,
	}
	addresses := []string{
		"s3://backups?endpoint=http://127.0.0.1:1",
		"gs://backups?endpoint=http://127.0.0.1:1",
		"azblob://backups?endpoint=http://127.0.0.1:1/account&account=account",
	}
	for _, text := range files {
		path := filepath.Join(t.TempDir(), "cloud")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		for _, address := range addresses {
			s := &objectStore{}
			err := s.Init(map[string]string{
				"bucket":          "backups",
				"bucketURL":       address,
				"credentialsFile": path,
				"timeout":         "1s",
			})
			require.Error(t, err, address)
			require.NotContains(t, err.Error(), secret, address)
		}
	}
}

// Time during which Velero sends nothing does not count against the timeout of a call, and time without
// progress of the store does.
func TestProgressPauses(t *testing.T) {
	const (
		timeout       = time.Minute
		nearlyTimeout = timeout - time.Second
	)
	synctest.Test(t, func(t *testing.T) {
		ctx, p := newProgress(timeout)
		defer p.stop()

		// Velero pauses for an hour.
		time.Sleep(nearlyTimeout)
		p.pause()
		p.recordProgress()
		time.Sleep(time.Hour)
		require.NoError(t, ctx.Err())

		// The store makes progress once within the timeout, and then no more.
		p.resume()
		time.Sleep(nearlyTimeout)
		p.recordProgress()
		time.Sleep(nearlyTimeout)
		require.NoError(t, ctx.Err())
		time.Sleep(2 * time.Second)
		require.ErrorContains(t, p.explain(ctx, ctx.Err()), "no progress for 1m0s")
	})
}
