package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/permissions"
)

// policy prints the documents that the provider of a location needs to permit some operations.
func TestPolicyPrintsTheDocumentsOfTheProvider(t *testing.T) {
	s := newShell(t)
	s.setLocation("users", "s3://photos/users/?region=eu-west-1")
	tests := map[string]struct {
		args []string
		want []string
	}{
		"Amazon": {
			args: []string{"--for", "list,download", "s3://photos/users/"},
			want: []string{`"arn:aws:s3:::photos/users/*"`, `"s3:prefix": "users/*"`},
		},
		"Amazon in China": {
			args: []string{"--for", "download", "s3://photos?region=cn-north-1"},
			want: []string{`"arn:aws-cn:s3:::photos/*"`},
		},
		"a name": {
			args: []string{"--for", "download", "users:2026/"},
			want: []string{`"arn:aws:s3:::photos/users/2026/*"`},
		},
		"a prefix by its flag": {
			args: []string{"--for", "download", "--prefix", "a*", "s3://photos"},
			want: []string{`"arn:aws:s3:::photos/a${*}*"`},
		},
		"an operation that goes": {
			args: []string{"--for", "read,-tags", "s3://photos"},
			want: []string{`"s3:GetObject",` + "\n        " + `"s3:GetObjectVersion"`},
		},
		"MinIO": {
			args: []string{"--for", "remove-version", "s3://photos?profile=minio&endpoint=http://127.0.0.1:9000"},
			want: []string{`"s3:DeleteObject",`},
		},
		"MinIO for an address of AWS's": {
			args: []string{"--for", "remove-version", "--provider", "minio", "s3://photos"},
			want: []string{`"s3:DeleteObject",`},
		},
		"a key of KMS": {
			args: []string{
				"--for", "download-encrypted",
				"--kms-key", "arn:aws:kms:eu-west-1:111122223333:key/1234", "s3://photos",
			},
			want: []string{`"Resource": "arn:aws:kms:eu-west-1:111122223333:key/1234"`},
		},
		"Google": {
			args: []string{"--for", "download", "gs://photos/users/"},
			want: []string{"# role: ", `"storage.objects.get"`, "\n# binding: ", `objects/users/`},
		},
		"Azure": {
			args: []string{"--for", "download", "azblob://photos/users/?account=acme"},
			want: []string{"# role: ", "containers/blobs/read", "\n# condition: ", "StringStartsWith 'users/'"},
		},
		"a signature of Azure": {
			args: []string{"--for", "download,list", "--provider", "azure-sas", "azblob://photos?account=acme"},
			want: []string{"sr=c&sp=rl\n"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			output := s.run(append([]string{"policy"}, tt.args...)...)
			for _, want := range tt.want {
				require.Contains(t, output, want)
			}
		})
	}
}

// The command "policy" says that on MinIO the permission to read includes old versions.
func TestPolicyOfMinIOSaysThatReadsIncludeVersions(t *testing.T) {
	s := newShell(t)
	_, stderr := s.requireExit(exitOK, "policy", "--for", "download", "--provider", "minio", "s3://photos/users/")
	require.Contains(t, stderr, "noncurrent versions")
	_, stderr = s.requireExit(exitOK, "policy", "--for", "upload", "--provider", "minio", "s3://photos/users/")
	require.Empty(t, stderr)
}

// policy names on standard error the permissions that are only needed after a failed request.
func TestPolicyNamesWhatOnlyFailuresNeed(t *testing.T) {
	s := newShell(t)
	tests := []struct {
		name, location, want string
	}{
		{
			name:     "Amazon",
			location: "s3://photos",
			want:     "only failures need s3:AbortMultipartUpload, s3:GetObject, s3:ListMultipartUploadParts\n",
		},
		{name: "Google", location: "gs://photos", want: "only failures need storage.objects.get\n"},
		{
			name:     "Azure",
			location: "azblob://photos?account=acme",
			want:     "only failures need containers/blobs/read\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, stderr := s.requireExit(exitOK, "policy", "--for", "write,upload-if-absent-lost", tt.location)
			require.Equal(t, tt.want, stderr)
		})
	}

	// Reads need storage.objects.get even without a failure.
	_, stderr := s.requireExit(exitOK, "policy", "--for", "read,write,upload-if-absent-lost", "gs://photos")
	require.Empty(t, stderr)
}

// In JSON, each document has the permissions that are only needed after a failure.
func TestPolicyInJSONNamesWhatOnlyFailuresNeed(t *testing.T) {
	s := newShell(t)
	var line policyLine
	require.NoError(t, json.Unmarshal([]byte(s.run("policy", "--json", "--for", "write", "s3://photos")), &line))
	require.Equal(t, []string{"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}, line.OnlyAfterFailures)
}

// policy --json prints one line for each document.
func TestPolicyInJSONHasALineForEachDocument(t *testing.T) {
	s := newShell(t)
	lines := strings.Split(strings.TrimSpace(s.run("policy", "--json", "--for", "download", "gs://photos")), "\n")
	require.Len(t, lines, 2)
	var line policyLine
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &line))
	require.Equal(t, "binding", line.Name)
	require.True(t, json.Valid([]byte(line.Text)), line.Text)
}

// policy refuses operations and locations for which there is no document.
func TestPolicyRefuses(t *testing.T) {
	s := newShell(t)
	tests := map[string]struct {
		exit int
		args []string
		want string
	}{
		"no operation": {exit: 2, args: []string{"s3://photos"}, want: "--for must name operations"},
		"an unknown operation": {
			exit: 2,
			args: []string{"--for", "fly", "s3://photos"},
			want: "upload-if-absent",
		},
		"an unknown provider": {
			exit: 2,
			args: []string{"--for", "list", "--provider", "ibm", "s3://photos"},
			want: "azure-sas",
		},
		"an unknown server": {
			exit: 2,
			args: []string{"--for", "list", "s3://photos?endpoint=http://127.0.0.1:1"},
			want: "--provider minio",
		},
		"wildcards": {exit: 2, args: []string{"--for", "list", "s3://photos/a*"}, want: "--prefix"},
		"a key and a prefix": {
			exit: 2,
			args: []string{"--for", "list", "--prefix", "a", "s3://photos/b"},
			want: "--prefix",
		},
		"an empty prefix": {
			exit: 2,
			args: []string{"--for", "list", "--prefix", "", "s3://photos"},
			want: "--prefix",
		},
		"a key of KMS that is not": {
			exit: 2,
			args: []string{"--for", "upload-encrypted", "s3://photos"},
			want: "KMSKey must be the ARN",
		},
		"a malformed query": {
			exit: 2,
			args: []string{"--for", "list", "s3://photos?region=%zz"},
			want: "valid query",
		},
		"an account": {exit: 2, args: []string{"--for", "list", "s3://"}, want: "must have a bucket"},
		"a directory": {
			exit: 1,
			args: []string{"--for", "list", newDirectoryAddress(t)},
			want: "have no policies",
		},
		"memory": {exit: 1, args: []string{"--for", "list", newMemoryAddress(t)}, want: "have no policies"},
		"a listing of MinIO": {
			exit: 1,
			args: []string{"--for", "read,list", "--provider", "minio", "s3://photos/users/"},
			want: "s3:prefix",
		},
		"what has no prefix": {
			exit: 1,
			args: []string{"--for", "everything", "s3://photos/users/"},
			want: "list-uploads",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, stderr := s.requireExit(tt.exit, append([]string{"policy"}, tt.args...)...)
			require.Contains(t, stderr, tt.want)
		})
	}
}

// "policy --help" lists every operation.
func TestPolicyHelpHasEveryOperation(t *testing.T) {
	help := newShell(t).run("policy", "--help")
	for _, o := range permissions.Operations() {
		require.Contains(t, help, "\n  "+string(o)+" ")
	}
}
