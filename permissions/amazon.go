package permissions

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/omnibucket/storage/internal/argument"
)

// A statement of a policy allows actions on one resource.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type statement struct {
	Effect    string
	Action    []string
	Resource  string
	Condition *listCondition `json:",omitempty"`
}

// A listCondition limits listings to a prefix.
type listCondition struct {
	StringLike map[string]string
}

// amazonPolicy returns the policy for an IAM user or role of AWS, or for a user of MinIO.
func (g Grant) amazonPolicy(p Provider) ([]Document, error) {
	prefix, err := escapeForAmazon(p, g.Prefix)
	if err != nil {
		return nil, err
	}

	// Each kind of action has a statement of its own, for the resources to which it applies.
	bucket := "arn:" + partition(p, g.Region) + ":s3:::" + g.Bucket
	statements := []statement{
		// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
		accountStatement: {Effect: "Allow", Resource: "*"},
		listingStatement: {Effect: "Allow", Resource: bucket},
		bucketStatement:  {Effect: "Allow", Resource: bucket},
		objectStatement:  {Effect: "Allow", Resource: bucket + "/" + prefix + "*"},
		keyStatement:     {Effect: "Allow", Resource: g.KMSKey},
	}
	if prefix != "" {
		statements[listingStatement].Condition = &listCondition{
			StringLike: map[string]string{"s3:prefix": prefix + "*"},
		}
	}

	// Put each action into its statement.
	for _, action := range g.permissions(p, anyOperation) {
		index := statementOf(action, prefix)
		if index == keyStatement && !keyARN().MatchString(g.KMSKey) {
			return nil, argument.Invalid("KMSKey", "must be the ARN of a key if an operation needs "+action, "")
		}
		statements[index].Action = append(statements[index].Action, action)
	}

	// Leave out statements without an action.
	statements = slices.DeleteFunc(statements, func(s statement) bool { return len(s.Action) == 0 })
	if len(statements) == 0 {
		// The operation "sign" needs no permission.
		return nil, unsupportedError(p, "needs no policy for these operations", g.Operations...)
	}

	policy := struct {
		Version   string
		Statement []statement
	}{
		Version:   "2012-10-17",
		Statement: statements,
	}
	use := "the policy of an IAM user or role"
	if p == MinIO {
		use = "a policy for mc admin policy create"
	}
	return []Document{{Name: "policy", Use: use, Text: encodeJSON(policy)}}, nil
}

// Each constant is the index of a statement in amazonPolicy.
const (
	accountStatement = iota
	listingStatement
	bucketStatement
	objectStatement
	keyStatement
)

// statementOf returns the index of the statement for an action in a policy. Actions on the same kind of
// resource, such as a bucket or its objects, share a statement. Only a prefix, which is a condition on
// listings, needs a statement for these.
//
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
func statementOf(action, prefix string) int {
	if action == "s3:ListAllMyBuckets" {
		return accountStatement
	}
	if isListing(action) {
		if prefix != "" {
			return listingStatement
		}
		return bucketStatement
	}
	if isBucketAction(action) {
		return bucketStatement
	}
	if strings.HasPrefix(action, "kms:") {
		return keyStatement
	}
	return objectStatement
}

// isBucketAction reports whether no policy can limit the action to a prefix, because its resource is
// a bucket and it has no condition key s3:prefix. An example is s3:ListBucketMultipartUploads.
func isBucketAction(action string) bool {
	if isListing(action) {
		return false
	}
	return strings.Contains(action, "Bucket") || strings.HasSuffix(action, "LifecycleConfiguration")
}

// isListing reports whether the action has the condition key s3:prefix.
func isListing(action string) bool {
	return action == "s3:ListBucket" || action == "s3:ListBucketVersions"
}

// keyARN matches the ARN of a KMS key. It does not match the ARN of an alias. A policy that names
// an alias as its resource would not permit the use of the key.
//
// https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
var keyARN = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$`)
})

// amazonEscapes escapes the special characters of a text, for Resource and StringLike.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
var amazonEscapes = strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}")

// escapeForAmazon escapes the wildcards and variables in prefix, so that a policy matches only this
// prefix. It refuses them for MinIO, whose policies have wildcards and variables but no escapes
// (https://github.com/minio/pkg/blob/main/policy/resource.go).
func escapeForAmazon(p Provider, prefix string) (string, error) {
	if p == AWS {
		return amazonEscapes.Replace(prefix), nil
	}
	if strings.ContainsAny(prefix, "*?") || strings.Contains(prefix, "${") {
		return "", argument.Invalid("prefix", `must not contain "*", "?" or "${", which a policy of MinIO cannot escape`, "")
	}
	return prefix, nil
}

// partitions maps the beginnings of regions to partitions of AWS. All other regions are in the
// partition "aws".
//
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
var partitions = []struct{ regionPrefix, name string }{
	{"cn-", "aws-cn"},
	{"us-gov-", "aws-us-gov"},
	{"us-iso-", "aws-iso"},
	{"us-isob-", "aws-iso-b"},
	{"eu-isoe-", "aws-iso-e"},
	{"us-isof-", "aws-iso-f"},
	{"eusc-", "aws-eusc"},
}

// partition returns the partition of a region, such as "aws-cn", which is the second part of an ARN.
// MinIO has only the partition "aws".
func partition(p Provider, region string) string {
	if p != AWS {
		return "aws"
	}
	for _, candidate := range partitions {
		if strings.HasPrefix(region, candidate.regionPrefix) {
			return candidate.name
		}
	}
	return "aws"
}
