package policy

import (
	"slices"
	"strings"
)

// ParseSession reads the policy of a session. Such a policy names no principal, and may name any
// bucket. It may also name actions and resources of other AWS services, which have no effect here.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
func ParseSession(document []byte) (*Policy, error) {
	return readPolicy(document, (*statement).checkSession)
}

// checkSession fails if AWS would refuse the statement in a session policy, which may also be about services other
// than S3.
func (s *statement) checkSession() error {
	if s.Principal != nil || s.NotPrincipal != nil {
		return malformedPolicy("Policy document should not specify a principal.")
	}

	for _, pattern := range slices.Concat(s.Action, s.NotAction) {
		if pattern != "*" && !strings.Contains(pattern, ":") {
			return malformedPolicy("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
		}
		isS3 := strings.HasPrefix(strings.ToLower(pattern), "s3:")
		isKnown := len(actionsLike(pattern)) > 0 || actionMatches(pattern, "s3:ListAllMyBuckets")
		if isS3 && !isKnown {
			return malformedPolicy("Policy has invalid action")
		}
	}
	for _, resource := range slices.Concat(s.Resource, s.NotResource) {
		if resource != "*" && !strings.HasPrefix(resource, "arn:") {
			return malformedPolicy("Resource %s must be in ARN format or \"*\".", resource)
		}
	}
	return nil
}
