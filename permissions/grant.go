package permissions

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/internal/objectkey"
)

// A Grant says what a program may do. [Grant.Documents] returns it as a policy of a provider.
type Grant struct {
	Operations []Operation // at least one operation
	// Bucket is the name of the bucket or container. It may only be "" if the only operation is
	// "list-buckets" or "sign".
	Bucket string
	// Prefix limits the grant to keys that begin with it. If it is "", the grant is for all keys. A
	// prefix need not be a folder: "users" also allows the keys of "users2/", but "users/" does
	// not. Characters such as "*" have no special meaning.
	Prefix string
	// Region is the region of the bucket on AWS. It selects the partition of ARNs, such as "aws-cn" for "cn-north-1".
	// "" means "aws".
	Region string
	// KMSKey is the ARN of the KMS key on AWS, such as
	// "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab". Only
	// operations that encrypt with a KMS key need it.
	KMSKey string
}

// A Document is one text of the access control of a provider, such as a policy or a role.
type Document struct {
	Name string // such as "policy", "role" or "condition"
	Use  string // a sentence that says where to use the document
	Text string
}

// Documents returns the documents that allow the operations. If a provider has no permission for
// exactly these operations, the documents also allow others, but as few as possible. Replace the
// texts in upper case, such as PROJECT, MEMBER and SUBSCRIPTION.
//
//   - AWS: a policy of IAM. A session of AWS STS also accepts the policy if the policy has at most
//     2,048 characters. The limit for other policies is 6,144 characters or more
//     (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
//   - MinIO: a policy without the actions that MinIO does not have. MinIO's s3:GetObject also
//     permits reads of noncurrent versions.
//   - Google: a custom role, and the binding that grants it. There is one pair for each kind of
//     resource.
//   - Azure: a custom role for the container. With a prefix, there is also a condition for the
//     assignment of the role. If an operation needs permissions on the account, there is also a
//     role for the account.
//   - AzureSAS: the parameters of a shared access signature. With a prefix, the signature is for a
//     directory. Only accounts with a hierarchical namespace have directories.
//
// Documents fails with InvalidArgument in these cases:
//
//   - An operation or the provider is unknown.
//   - The bucket or the prefix is not valid at the provider.
//   - An operation on AWS needs a KMS key, and KMSKey is not set.
//   - The provider cannot express the prefix. MinIO cannot escape "*", "?" and "${". Azure's
//     conditions cannot escape quotes and backslashes. The prefix of AzureSAS must end in "/".
//
// Documents fails with Unsupported in these cases. The error names the operations.
//
//   - The provider does not support an operation.
//   - No policy of the provider can allow an operation.
//   - No policy of the provider can limit an operation to the prefix. On MinIO, these include
//     listings, because MinIO takes the value of s3:prefix from a header of the client, too
//     (https://github.com/minio/pkg/pull/267).
//   - The bucket is a directory bucket of AWS. Allow s3express:CreateSession for that bucket.
func (g Grant) Documents(p Provider) ([]Document, error) {
	if err := g.check(p); err != nil {
		return nil, err
	}
	switch p {
	case AWS, MinIO:
		return g.amazonPolicy(p)
	case Google:
		return g.googleDocuments()
	case Azure:
		return g.azureDocuments()
	default:
		return g.azureSignature()
	}
}

// afterFailures maps each operation that follows a failed request to the operation whose request
// has failed.
var afterFailures = map[Operation]Operation{
	"upload-if-absent-lost": "upload-if-absent",
	"upload-parts-failed":   "upload-parts",
}

// OnlyAfterFailures returns the sorted permissions that a program only needs after a request has
// failed, such as that to abort a multipart upload. Without them, the program does the same until a
// request fails, and then leaves parts behind, or fails with OutcomeUnknown. The names are those of
// [Operation.Needs]. If the operations or the provider are not valid, the result is empty.
func (g Grant) OnlyAfterFailures(p Provider) []string {
	var always, afterFailure []string
	for _, o := range g.Operations {
		// If the operation or the provider is not valid, needs is nil.
		needs, _ := o.Needs(p)
		// For example, upload-parts-failed follows the failure of upload-parts.
		failed, followsFailure := afterFailures[o]
		if !followsFailure {
			always = append(always, needs...)
			continue
		}

		// The program has made the request that failed, so it always needs the permissions for that.
		afterFailure = append(afterFailure, needs...)
		failedNeeds, _ := failed.Needs(p)
		always = append(always, failedNeeds...)
	}

	// Leave out what another operation needs anyway.
	isAlwaysNeeded := func(permission string) bool { return slices.Contains(always, permission) }
	onlyAfter := slices.DeleteFunc(afterFailure, isAlwaysNeeded)
	if p == AzureSAS {
		return sortLetters(onlyAfter)
	}
	return sortPermissions(onlyAfter)
}

// bucketNames has the form of bucket names for each provider. No such name has a character with a
// special meaning in a policy.
var bucketNames = sync.OnceValue(func() map[Provider]*regexp.Regexp {
	amazon := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{2,254}$`)
	azure := regexp.MustCompile(`^(\$root|\$web|\$logs|[a-z0-9][a-z0-9-]{2,62})$`)
	return map[Provider]*regexp.Regexp{
		AWS:      amazon,
		MinIO:    amazon,
		Azure:    azure,
		AzureSAS: azure,
		Google:   regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$`),
	}
})

// check returns an error if the grant breaks a rule that is the same for all providers, or if an
// operation or the provider is unknown or unsupported.
func (g Grant) check(p Provider) error {
	if len(g.Operations) == 0 {
		return argument.Invalid("operations", "must not be empty", "")
	}

	// Name all operations that the provider does not support in one error.
	var refused []Operation
	for _, o := range g.Operations {
		_, err := o.Needs(p)
		if storage.CodeOf(err) == storage.Unsupported {
			refused = append(refused, o)
			continue
		}
		if err != nil {
			return err
		}
	}
	if len(refused) > 0 {
		return unsupportedError(p, "does not support these operations", refused...)
	}

	if g.Bucket == "" && g.needsBucket() {
		return argument.Invalid("bucket", "must not be empty", "")
	}
	if g.Bucket != "" && !bucketNames()[p].MatchString(g.Bucket) {
		return argument.Invalid("bucket "+strconv.Quote(g.Bucket), "must be the name of a bucket of "+string(p), "")
	}
	isDirectoryBucket := p == AWS && strings.HasSuffix(g.Bucket, "--x-s3")
	if isDirectoryBucket {
		err := unsupportedError(p, "has other permissions for directory buckets", g.Operations...)
		err.Hint = "allow s3express:CreateSession for the bucket"
		return err
	}
	return g.checkPrefix(p)
}

// needsBucket reports whether an operation of the grant is about a bucket or its objects.
func (g Grant) needsBucket() bool {
	return slices.ContainsFunc(g.Operations, func(o Operation) bool { return o != "list-buckets" && o != "sign" })
}

// checkPrefix returns an error if no key can begin with the prefix, or if a policy cannot limit one
// of the operations to a prefix.
func (g Grant) checkPrefix(p Provider) error {
	if g.Prefix == "" {
		return nil
	}
	if rule := objectkey.Rule(g.Prefix); rule != "" {
		return argument.Invalid("prefix", rule, "")
	}
	if !headertext.Plain(g.Prefix) {
		return argument.Invalid("prefix", "must not contain control characters", "")
	}

	// Name all operations that cannot be limited, so that one error is enough to correct the grant.
	var unlimited []Operation
	for _, o := range g.Operations {
		if o.exceedsPrefix(p) {
			unlimited = append(unlimited, o)
		}
	}
	if len(unlimited) == 0 {
		return nil
	}

	err := unsupportedError(p, "cannot limit these operations to a prefix", unlimited...)
	err.Hint = `leave these operations out, as in "everything,-list-uploads", or leave the prefix out`
	if p == MinIO {
		err.Hint += "; a client of MinIO can list the whole bucket in spite of a condition on s3:prefix"
	}
	return err
}

// exceedsPrefix reports whether no policy of a provider can limit the operation to a prefix, because a
// permission that it needs holds only for a whole bucket or account.
func (o Operation) exceedsPrefix(p Provider) bool {
	if o.Section() == bucketSection {
		return true
	}
	// This cannot fail, because Grant.check has called Needs, too.
	needs, _ := o.Needs(p)
	switch p {
	case AWS:
		return slices.ContainsFunc(needs, isBucketAction)
	case MinIO:
		return slices.ContainsFunc(needs, isBucketAction) || slices.ContainsFunc(needs, isListing)
	case Azure:
		// This permission is on the container, and not on blobs in it.
		if slices.Contains(needs, "containers/write") {
			return true
		}
	}
	return slices.Contains(outsidePrefix, o)
}

// outsidePrefix are the operations on multipart uploads that no policy of Google or Azure can limit
// to the prefix of a grant. The drivers keep the parts of such uploads under a prefix of their own,
// at the top of the bucket.
var outsidePrefix = []Operation{"open-upload", "abort-upload", "list-uploads"}

// permissions returns the sorted permissions that the provider requires for the operations that
// filter selects, each once.
func (g Grant) permissions(p Provider, filter func(Operation) bool) []string {
	var permissions []string
	for _, o := range g.Operations {
		if !filter(o) {
			continue
		}
		// This cannot fail, because Grant.check has called Needs, too.
		needs, _ := o.Needs(p)
		permissions = append(permissions, needs...)
	}

	switch p {
	case AzureSAS:
		return sortLetters(permissions)
	case MinIO:
		return sortPermissions(removeImplied(permissions))
	default:
		return sortPermissions(permissions)
	}
}

// anyOperation is a filter that selects every operation.
func anyOperation(Operation) bool { return true }
