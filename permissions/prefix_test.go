package permissions_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/permissions"
)

// prefixCases are prefixes, many of which have characters that mean something in a policy. The other fields are
// the text that stands for the prefix in a document of each provider, or "" if the provider cannot express the
// prefix. Tests with our S3 server and MinIO show what the policies of these then permit.
var prefixCases = map[string]struct{ prefix, amazon, minio, azure, directory string }{
	"a folder":        {prefix: "users/", amazon: "users/", minio: "users/", azure: "users/", directory: "sr=d&sdd=1"},
	"a folder below":  {prefix: "users/ann/", amazon: "users/ann/", minio: "users/ann/", azure: "users/ann/", directory: "sr=d&sdd=2"},
	"a text":          {prefix: "users", amazon: "users", minio: "users", azure: "users"},
	"a star":          {prefix: "users/*/", amazon: "users/${*}/", azure: "users/*/", directory: "sr=d&sdd=2"},
	"a question mark": {prefix: "a?", amazon: "a${?}", azure: "a?"},
	"a variable":      {prefix: "${aws:username}/", amazon: "${$}{aws:username}/", azure: "${aws:username}/", directory: "sr=d&sdd=1"},
	"an escape":       {prefix: "${*}/", amazon: "${$}{${*}}/", azure: "${*}/", directory: "sr=d&sdd=1"},
	"a dollar sign":   {prefix: "$/", amazon: "${$}/", minio: "$/", azure: "$/", directory: "sr=d&sdd=1"},
	"quotes":          {prefix: `a"/`, amazon: `a"/`, minio: `a"/`, directory: "sr=d&sdd=1"},
	"single quotes":   {prefix: `a'/`, amazon: `a'/`, minio: `a'/`, directory: "sr=d&sdd=1"},
	"a backslash":     {prefix: `a\/`, amazon: `a\/`, minio: `a\/`, directory: "sr=d&sdd=1"},
	"an expression": {
		prefix:    `users/") || true || ("/`,
		amazon:    `users/") || true || ("/`,
		minio:     `users/") || true || ("/`,
		directory: "sr=d&sdd=2",
	},
	"a condition": {
		prefix:    `a') OR (1 NumericEquals 1/`,
		amazon:    `a') OR (1 NumericEquals 1/`,
		minio:     `a') OR (1 NumericEquals 1/`,
		directory: "sr=d&sdd=1",
	},
	"letters":          {prefix: "日本/𝄞/", amazon: "日本/𝄞/", minio: "日本/𝄞/", azure: "日本/𝄞/", directory: "sr=d&sdd=2"},
	"a slash at first": {prefix: "/a/", amazon: "/a/", minio: "/a/"},
	"an empty segment": {prefix: "a//", amazon: "a//", minio: "a//", azure: "a//"},
	"the longest": {
		prefix:    strings.Repeat("k", 1023) + "/",
		amazon:    strings.Repeat("k", 1023) + "/",
		minio:     strings.Repeat("k", 1023) + "/",
		azure:     strings.Repeat("k", 1023) + "/",
		directory: "sr=d&sdd=1",
	},
	"HTML and an entity": {prefix: "<&>/", amazon: "<&>/", minio: "<&>/", azure: "<&>/", directory: "sr=d&sdd=1"},
}

// Documents escapes the characters of a prefix that mean something in a policy. If the provider cannot express the
// prefix, Documents fails with InvalidArgument. The cases have the text that must stand for
// the prefix.
func TestDocumentsPrefixStandsForItself(t *testing.T) {
	for name, tt := range prefixCases {
		t.Run(name, func(t *testing.T) {
			t.Run("aws", func(t *testing.T) {
				requireAWSPolicy(t, tt.prefix, tt.amazon)
			})
			t.Run("minio", func(t *testing.T) {
				requireMinIOPolicy(t, tt.prefix, tt.minio)
			})
			t.Run("google", func(t *testing.T) {
				requireGoogleDocument(t, tt.prefix)
			})
			t.Run("azure", func(t *testing.T) {
				requireAzureDocument(t, tt.prefix, tt.azure)
			})
			t.Run("azure-sas", func(t *testing.T) {
				requireDirectoryDocument(t, tt.prefix, tt.directory)
			})
		})
	}
}

// documentsForPrefix returns the documents of a provider for the operations on objects under a prefix. If the provider
// cannot express the prefix, it requires that Documents fails, and returns nil.
func documentsForPrefix(
	t *testing.T, p permissions.Provider, prefix string, canExpress bool, operations ...permissions.Operation,
) []permissions.Document {
	t.Helper()
	documents, err := grant(prefix, operations...).Documents(p)
	if !canExpress {
		require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
		require.ErrorContains(t, err, "prefix must")
		return nil
	}
	require.NoError(t, err)
	require.NotEmpty(t, documents)
	return documents
}

// requireAWSPolicy requires a policy with two statements, for listing and for objects, which both have want for the
// prefix. If want is "", it requires that there is no policy.
func requireAWSPolicy(t *testing.T, prefix, want string) {
	t.Helper()
	documents := documentsForPrefix(t, permissions.AWS, prefix, want != "", "download", "list")
	if documents == nil {
		return
	}

	statements := parseForm[amazonForm](t, documents[0].Text).Statement
	require.Len(t, statements, 2)
	listing := statements[0]
	require.Equal(t, "arn:aws:s3:::photos", listing.Resource)
	require.Equal(t, map[string]string{"s3:prefix": want + "*"}, listing.Condition.StringLike)
	require.Equal(t, "arn:aws:s3:::photos/"+want+"*", statements[1].Resource)
}

// requireMinIOPolicy requires a policy with one statement, for objects, whose resource is the one wanted for the
// prefix. Policies of MinIO cannot limit listings. If want is "", it requires that there is no policy.
func requireMinIOPolicy(t *testing.T, prefix, want string) {
	t.Helper()
	documents := documentsForPrefix(t, permissions.MinIO, prefix, want != "", "download")
	if documents == nil {
		return
	}

	statements := parseForm[amazonForm](t, documents[0].Text).Statement
	require.Len(t, statements, 1)
	require.Equal(t, "arn:aws:s3:::photos/"+want+"*", statements[0].Resource)
}

// googleConditionForm matches an expression of CEL. Its groups are two quoted texts: the prefix of the name of an
// object, and the prefix of a listing. A quoted text ends at the first quote without a backslash.
var googleConditionForm = regexp.MustCompile(
	`^resource\.name\.startsWith\("projects/_/buckets/photos/objects/(?P<name>(?:[^"\\]|\\.)*)"\) \|\| ` +
		`api\.getAttribute\("storage\.googleapis\.com/objectListPrefix", ""\)\.startsWith\("(?P<listing>(?:[^"\\]|\\.)*)"\)$`,
)

// requireGoogleDocument requires that the document's condition names the prefix and is the condition that
// GoogleCondition returns.
func requireGoogleDocument(t *testing.T, prefix string) {
	t.Helper()
	documents := documentsForPrefix(t, permissions.Google, prefix, true, "download", "list")
	condition := parseForm[googleBindingForm](t, documents[1].Text).Condition

	groups := googleConditionForm.FindStringSubmatch(condition.Expression)
	require.NotNil(t, groups, condition.Expression)
	unescaped := strings.NewReplacer(`\\`, `\`, `\"`, `"`)
	require.Equal(t, prefix, unescaped.Replace(groups[googleConditionForm.SubexpIndex("name")]))
	require.Equal(t, prefix, unescaped.Replace(groups[googleConditionForm.SubexpIndex("listing")]))

	expression, err := permissions.GoogleCondition("photos", prefix)
	require.NoError(t, err)
	require.Equal(t, condition.Expression, expression)
}

// requireAzureDocument requires a role and its condition. The condition must contain want for the path of an object,
// and also for the prefix of a listing. If want is "", it requires that there is no document.
func requireAzureDocument(t *testing.T, prefix, want string) {
	t.Helper()
	documents := documentsForPrefix(t, permissions.Azure, prefix, want != "", "download", "list")
	if documents == nil {
		return
	}

	require.Len(t, documents, 2)
	condition := documents[1].Text
	groups := azureConditionForm.FindStringSubmatch(condition)
	require.NotNil(t, groups, condition)
	require.Equal(t, want, groups[azureConditionForm.SubexpIndex("path")])
	require.Equal(t, want, groups[azureConditionForm.SubexpIndex("listing")])
}

// requireDirectoryDocument requires a shared access signature of a directory, whose parameters begin with want. If want
// is "", it requires that there is no document.
func requireDirectoryDocument(t *testing.T, prefix, want string) {
	t.Helper()
	documents := documentsForPrefix(t, permissions.AzureSAS, prefix, want != "", "download", "list")
	if documents == nil {
		return
	}

	require.Equal(t, want+"&sp=rl", documents[0].Text)
	require.Contains(t, documents[0].Use, "the directory "+strings.TrimSuffix(prefix, "/")+" ")
}

// Without a prefix, no document has a condition.
func TestDocumentsWithoutAPrefix(t *testing.T) {
	for _, provider := range permissions.Providers() {
		t.Run(string(provider), func(t *testing.T) {
			documents, err := grant("", "download", "list").Documents(provider)
			require.NoError(t, err)
			for _, document := range documents {
				require.NotContains(t, strings.ToLower(document.Text), "condition")
			}
		})
	}
}

// GoogleCondition fails with InvalidArgument if the bucket or the prefix is empty or invalid.
func TestGoogleCondition(t *testing.T) {
	tests := []struct {
		name   string
		bucket string
		prefix string
	}{
		{name: "no prefix", bucket: "photos", prefix: ""},
		{name: "no bucket", bucket: "", prefix: "a/"},
		{name: "a bucket with an expression", bucket: `photos" || true`, prefix: "a/"},
		{name: "a prefix that no key can have", bucket: "photos", prefix: "../"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := permissions.GoogleCondition(tt.bucket, tt.prefix)
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err))
		})
	}
}

// For MinIO, Documents permits listing only without a prefix, because a client can send MinIO any value of s3:prefix
// in a header.
func TestDocumentsOfMinIOLimitNoListing(t *testing.T) {
	for _, listing := range []permissions.Operation{"list", "list-versions"} {
		t.Run(string(listing)+" with a prefix", func(t *testing.T) {
			_, err := grant("users/", "download", listing).Documents(permissions.MinIO)
			require.Equal(t, storage.Unsupported, storage.CodeOf(err))
			require.ErrorContains(t, err, string(listing))

			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Contains(t, storageErr.Hint, "s3:prefix")
		})
		t.Run(string(listing)+" without a prefix", func(t *testing.T) {
			_, err := grant("", "download", listing).Documents(permissions.MinIO)
			require.NoError(t, err)
		})
	}
}
