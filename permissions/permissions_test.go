package permissions_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/permissions"
)

// Each operation has the methods that need it, and a heading in docs/permissions.md. An unknown operation has no
// methods.
func TestOperationsHaveACallAndASection(t *testing.T) {
	for _, o := range permissions.Operations() {
		require.Regexp(t, `^[a-z]+(-[a-z]+)*$`, string(o))
		require.NotEmpty(t, o.Section(), o)
		require.NotEmpty(t, o.Call(), o)
	}
	require.Empty(t, permissions.Operation("fly").Call())
}

func TestNeedsRefuseWhatIsUnknown(t *testing.T) {
	_, err := permissions.Operation("fly").Needs(permissions.AWS)
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
	require.ErrorContains(t, err, `"fly"`)
	require.ErrorContains(t, err, "upload-if-absent")
	_, err = permissions.Operation("list").Needs("ibm")
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
	require.ErrorContains(t, err, "azure-sas")
}

func TestNeedsAreWhatTheProviderCalls(t *testing.T) {
	tests := map[string]struct {
		operation permissions.Operation
		provider  permissions.Provider
		want      []string
	}{
		"Amazon": {"remove-version", permissions.AWS, []string{"s3:DeleteObjectVersion"}},
		"MinIO": {
			"remove-version", permissions.MinIO, []string{"s3:DeleteObject", "s3:DeleteObjectVersion"},
		},
		"MinIO without keys": {"upload-encrypted", permissions.MinIO, []string{"s3:PutObject"}},
		"Google":             {"sign", permissions.Google, []string{"iam.serviceAccounts.signBlob"}},
		"Azure": {
			"remove-all", permissions.Azure, []string{"containers/blobs/delete", "containers/write"},
		},
		"letters in a signature's order": {"move", permissions.AzureSAS, []string{"r", "w", "d"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			needs, err := tt.operation.Needs(tt.provider)
			require.NoError(t, err)
			require.Equal(t, tt.want, needs)
		})
	}
}

func TestParseKnowsGroupsAndTakesNamesAway(t *testing.T) {
	tests := map[string]struct {
		names []string
		want  []permissions.Operation
	}{
		"in the order of the table": {[]string{"list", "upload"}, []permissions.Operation{"upload", "list"}},
		"each once":                 {[]string{"list", "list"}, []permissions.Operation{"list"}},
		"a group": {
			[]string{"read"}, []permissions.Operation{"download", "download-version", "tags"},
		},
		"a group without an operation": {
			[]string{"read", "-tags"}, []permissions.Operation{"download", "download-version"},
		},
		"what goes first goes all same": {
			[]string{"-tags", "read"}, []permissions.Operation{"download", "download-version"},
		},
		"an operation without its group": {[]string{"list", "download", "-read"}, []permissions.Operation{"list"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := permissions.Parse(tt.names...)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
	for _, names := range [][]string{nil, {"fly"}, {"-fly", "list"}, {"list", "-list"}, {""}} {
		_, err := permissions.Parse(names...)
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%q", names)
	}
}

func TestGroupsHaveOperationsOfTheTable(t *testing.T) {
	for _, g := range permissions.Groups() {
		for _, o := range g.Operations {
			require.True(t, slices.Contains(permissions.Operations(), o), o)
		}
	}
}

func TestOnlyAfterFailures(t *testing.T) {
	for _, tt := range []struct {
		name       string
		operations []permissions.Operation
		provider   permissions.Provider
		want       []string
	}{
		{
			name:       "an upload in parts",
			operations: []permissions.Operation{"upload-parts-failed"},
			provider:   permissions.AWS,
			want:       []string{"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"},
		},
		{
			name:       "a program that aborts uploads itself",
			operations: []permissions.Operation{"upload-parts", "upload-parts-failed", "abort-upload"},
			provider:   permissions.MinIO,
		},
		{
			name:       "a signature",
			operations: []permissions.Operation{"upload-if-absent", "upload-if-absent-lost"},
			provider:   permissions.AzureSAS,
			want:       []string{"r"},
		},
		{
			name:       "a program that reads",
			operations: []permissions.Operation{"upload-if-absent-lost", "download"},
			provider:   permissions.Google,
		},
		{
			name:       "what is unknown",
			operations: []permissions.Operation{"fly"},
			provider:   permissions.AWS,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			grant := permissions.Grant{Operations: tt.operations}
			require.ElementsMatch(t, tt.want, grant.OnlyAfterFailures(tt.provider))
		})
	}
}

// For MinIO, the policy has s3:ListBucket for list-versions as well, and no further action for tags and missing
// objects.
func TestNeedsOfMinIOAreTheLeast(t *testing.T) {
	documents, err := grant("", "list", "list-versions", "download-missing", "copy-tagged", "upload-with-tags").
		Documents(permissions.MinIO)
	require.NoError(t, err)
	policy := parseForm[amazonForm](t, documents[0].Text)
	require.Equal(t, []string{"s3:ListBucket"}, policy.Statement[0].Action)
	require.Equal(t, []string{"s3:GetObject", "s3:PutObject"}, policy.Statement[1].Action)
}
