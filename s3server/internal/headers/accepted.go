// Package headers knows which headers a request may have, and reads those for conditions, the
// properties of an object, and its lock.
package headers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// AmzPrefix begins the headers of AWS.
const AmzPrefix = "X-Amz-"

// commonHeaders are the x-amz-* headers that every operation accepts. They belong to the
// signature, the account or the client, or offer something that a server need not use.
var commonHeaders = []string{
	"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signature", "x-amz-signedheaders",
	"x-amz-content-sha256", "x-amz-security-token", "x-amz-expected-bucket-owner", "x-amz-request-payer",
	"x-amz-user-agent", "x-amz-api-version", "x-amz-cf-id", "x-amz-te",
}

var (
	// bodyHeaders are headers about the body of a request.
	bodyHeaders = []string{
		"x-amz-checksum-*", "x-amz-sdk-checksum-algorithm", "x-amz-trailer", "x-amz-decoded-content-length",
	}
	// kindHeaders are the headers that name the kind of a checksum.
	kindHeaders       = []string{"x-amz-checksum-algorithm", "x-amz-checksum-type"}
	encryptionHeaders = []string{
		"x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
		"x-amz-server-side-encryption-context", "x-amz-server-side-encryption-bucket-key-enabled",
	}
	customerHeaders = []string{
		"x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-customer-key",
		"x-amz-server-side-encryption-customer-key-md5",
	}
	aclHeaders = []string{
		"x-amz-acl", "x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp",
	}
	// sourceHeaders are the headers for the source of a copy.
	sourceHeaders = []string{
		"x-amz-copy-source", "x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match",
		"x-amz-copy-source-if-modified-since", "x-amz-copy-source-if-unmodified-since",
		"x-amz-copy-source-server-side-encryption-customer-algorithm", "x-amz-copy-source-server-side-encryption-customer-key",
		"x-amz-copy-source-server-side-encryption-customer-key-md5", "x-amz-source-expected-bucket-owner",
	}
	// objectHeaders are the headers with the properties of an object that is written.
	objectHeaders = slices.Concat(encryptionHeaders, customerHeaders, aclHeaders, []string{
		"x-amz-meta-*", "x-amz-storage-class", "x-amz-website-redirect-location",
		"x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold",
	})
	readHeaders = slices.Concat(encryptionHeaders, customerHeaders, []string{"x-amz-checksum-mode"})
	listHeaders = []string{"x-amz-optional-object-attributes"}
)

// FormFields stands for the x-amz-* fields of the form of a PostObject, whose headers are those of a
// browser.
const FormFields = "PostObject's form"

// acceptedHeaders are the further x-amz-* headers by operation. The handler of an operation honors these
// headers, or refuses them with an error of its own.
var acceptedHeaders = headerTable(map[string][]string{
	// The last two are for operations that are missing here: those whose names begin with Put, and
	// all others.
	"Put": bodyHeaders,
	"":    nil,

	"CreateBucket": slices.Concat(
		bodyHeaders, aclHeaders, []string{"x-amz-bucket-object-lock-enabled", "x-amz-object-ownership"},
	),
	"PutBucketAcl":  slices.Concat(bodyHeaders, aclHeaders),
	"PutObjectAcl":  slices.Concat(bodyHeaders, aclHeaders),
	"DeleteObjects": slices.Concat(bodyHeaders, []string{"x-amz-bypass-governance-retention"}),
	"RestoreObject": bodyHeaders,

	"PutBucketLifecycleConfiguration": slices.Concat(
		bodyHeaders, []string{"x-amz-transition-default-minimum-object-size"},
	),
	"PutBucketNotificationConfiguration": slices.Concat(bodyHeaders, []string{"x-amz-skip-destination-validation"}),
	"PutBucketPolicy": slices.Concat(
		bodyHeaders, []string{"x-amz-confirm-remove-self-bucket-access"},
	),
	"PutObjectRetention": slices.Concat(bodyHeaders, []string{"x-amz-bypass-governance-retention"}),

	"ListObjects":        listHeaders,
	"ListObjectsV2":      listHeaders,
	"ListObjectVersions": listHeaders,

	"GetObject":  readHeaders,
	"HeadObject": readHeaders,
	"GetObjectAttributes": slices.Concat(
		encryptionHeaders, customerHeaders,
		[]string{"x-amz-object-attributes", "x-amz-max-parts", "x-amz-part-number-marker"},
	),
	"DeleteObject": {"x-amz-bypass-governance-retention"},
	"PutObject":    slices.Concat(bodyHeaders, kindHeaders, objectHeaders, []string{"x-amz-tagging"}),
	FormFields:     slices.Concat([]string{"x-amz-checksum-*"}, kindHeaders, objectHeaders),
	"CopyObject": slices.Concat(
		sourceHeaders, objectHeaders,
		[]string{"x-amz-checksum-algorithm", "x-amz-metadata-directive", "x-amz-tagging", "x-amz-tagging-directive"},
	),

	"CreateMultipartUpload": slices.Concat(objectHeaders, kindHeaders, []string{"x-amz-tagging"}),
	"UploadPart": slices.Concat(
		bodyHeaders, kindHeaders, encryptionHeaders, customerHeaders, []string{"x-amz-tagging"},
	),
	"UploadPartCopy": slices.Concat(
		sourceHeaders, encryptionHeaders, customerHeaders, []string{"x-amz-copy-source-range"},
	),
	"CompleteMultipartUpload": slices.Concat(
		bodyHeaders, kindHeaders, encryptionHeaders, customerHeaders, []string{"x-amz-mp-object-size"},
	),
	"ListParts": customerHeaders,
})

// missingHeaders are x-amz-* headers to which AWS gives a meaning that this server does not give
// them in any operation. A name that ends in "*" stands for all that begin with it.
var missingHeaders = []string{
	"x-amz-acl*", "x-amz-bucket-namespace", "x-amz-bucket-object-lock-*", "x-amz-checksum-*", "x-amz-copy-source*", "x-amz-create-session-*",
	"x-amz-grant-*", "x-amz-if-*", "x-amz-mfa", "x-amz-object-lock-*", "x-amz-object-ownership*", "x-amz-rename-source*",
	"x-amz-s3session-token", "x-amz-server-side-encryption*", "x-amz-tagging*", "x-amz-write-offset-bytes",
}

// hasMeaning reports whether AWS gives a meaning to a header, as far as this server knows, in
// whichever operation.
func hasMeaning(name string) bool {
	if strings.HasPrefix(name, MetadataPrefix) {
		return true
	}
	for _, table := range acceptedHeaders {
		if table[name] {
			return true
		}
	}
	name = strings.ToLower(name)
	return slices.ContainsFunc(missingHeaders, func(missing string) bool {
		family, all := strings.CutSuffix(missing, "*")
		return name == family || all && strings.HasPrefix(name, family)
	})
}

// headerTable returns the names in the form of [http.Header], with the common ones. A name that
// ends in "-*" stands for all that begin with it.
func headerTable(names map[string][]string) map[string]map[string]bool {
	table := map[string]map[string]bool{}
	for operation, accepted := range names {
		table[operation] = map[string]bool{}
		for _, name := range slices.Concat(commonHeaders, accepted) {
			table[operation][http.CanonicalHeaderKey(strings.TrimSuffix(name, "*"))] = true
		}
	}
	return table
}

// Check refuses the x-amz-* headers to which AWS gives a meaning that this server does not
// give them. A strict server also refuses those that it does not know, because AWS may give them
// one some day. Proxies and other S3 servers have such headers of their own.
func Check(operation string, header http.Header, strict bool) error {
	accepted := acceptedHeaders[operation]
	switch {
	case accepted != nil:
	case strings.HasPrefix(operation, "Put"):
		accepted = acceptedHeaders["Put"]
	default:
		accepted = acceptedHeaders[""]
	}
	for name := range header {
		switch {
		case !strings.HasPrefix(name, AmzPrefix), accepted[name]:
		case strings.HasPrefix(name, MetadataPrefix) && accepted[MetadataPrefix]:
		case strings.HasPrefix(name, checksum.Prefix) && accepted[checksum.Prefix] &&
			!slices.Contains(checksum.Parameters, name):
		case strict || hasMeaning(name):
			return s3error.New("NotImplemented", "Header", strings.ToLower(name))
		}
	}
	return nil
}
