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
	prefix, err := escapedForAmazon(p, g.Prefix)
	if err != nil {
		return nil, err
	}

	bucket := "arn:" + partition(p, g.Region) + ":s3:::" + g.Bucket
	statements := []statement{
		{Resource: "*"}, // https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
		{Resource: bucket},
		{Resource: bucket},
		{Resource: bucket + "/" + prefix + "*"},
		{Resource: g.KMSKey},
	}

	if prefix != "" {
		statements[1].Condition = &listCondition{map[string]string{"s3:prefix": prefix + "*"}}
	}

	for _, action := range g.all(p, each) {
		level := level(action)
		if level == ofKey && !keyARN().MatchString(g.KMSKey) {
			return nil, argument.Invalid("KMSKey", "must be the ARN of a key if an operation needs "+action, "")
		}
		statements[level].Effect = "Allow"
		statements[level].Action = append(statements[level].Action, action)
	}

	if prefix == "" {
		// Without a prefix, one statement can have all actions on the bucket.
		statements[2].Effect = "Allow"
		statements[2].Action = ordered(append(statements[2].Action, statements[1].Action...))
		statements[1].Action = nil
	}

	statements = slices.DeleteFunc(statements, func(s statement) bool { return len(s.Action) == 0 })
	if len(statements) == 0 {
		// The operation "sign" needs no permission.
		return nil, unsupportedError(p, "needs no policy for these operations", g.Operations...)
	}

	text := document(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", statements})
	use := "the policy of an IAM user or role"
	if p == MinIO {
		use = "a policy for mc admin policy create"
	}
	return []Document{{"policy", use, text}}, nil
}

// Each constant is the index of a statement in amazonPolicy.
const (
	ofAccount = iota
	ofListing
	ofBucket
	ofObjects
	ofKey
)

// level returns the index of the statement for an action. It depends on the kind of resource that
// the action is for.
//
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
func level(action string) int {
	if action == "s3:ListAllMyBuckets" {
		return ofAccount
	}
	if isListing(action) {
		return ofListing
	}
	if isWideAction(action) {
		return ofBucket
	}
	if strings.HasPrefix(action, "kms:") {
		return ofKey
	}
	return ofObjects
}

// isWideAction reports whether no policy can limit the action to a prefix. This is so if the
// resource of the action is a bucket, and the action has no condition key s3:prefix. An example is
// s3:ListBucketMultipartUploads.
func isWideAction(action string) bool {
	return !isListing(action) && (strings.Contains(action, "Bucket") || strings.HasSuffix(action, "LifecycleConfiguration"))
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

// escapedForAmazon returns prefix with its special characters escaped, so that a policy matches
// only this prefix. MinIO has variables and wildcards but no escapes. So for MinIO, a prefix with
// such characters is refused (https://github.com/minio/pkg/blob/main/policy/resource.go).
func escapedForAmazon(p Provider, prefix string) (string, error) {
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
var partitions = []struct{ regions, name string }{
	{"cn-", "aws-cn"},
	{"us-gov-", "aws-us-gov"},
	{"us-iso-", "aws-iso"},
	{"us-isob-", "aws-iso-b"},
	{"eu-isoe-", "aws-iso-e"},
	{"us-isof-", "aws-iso-f"},
	{"eusc-", "aws-eusc"},
}

func partition(p Provider, region string) string {
	for _, row := range partitions {
		if p == AWS && strings.HasPrefix(region, row.regions) {
			return row.name
		}
	}
	return "aws"
}
