// Package policy implements the language of bucket policies. [Parse] reads a policy. It refuses
// policies that AWS refuses, and those with a part that this server does not implement.
// [Policy.Evaluate] decides whether a policy allows or denies a request. A condition of a policy
// compares a key, such as "aws:SourceIp", with the values that the request has for this key.
package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/wildcard"
)

// A Policy is a bucket policy or the policy of a session. Parse refuses a policy with a part that
// this server does not implement, so that no statement is silently ignored.
type Policy struct {
	document  []byte // the JSON as the client sent it
	Version   string
	ID        string `json:"Id"`
	Statement oneOrMany[statement]
}

// A statement allows or denies actions. It has one of Principal and NotPrincipal, one of Action and
// NotAction, and one of Resource and NotResource.
type statement struct {
	Sid          string
	Effect       string
	Principal    *principals
	NotPrincipal *principals
	Action       oneOrMany[string]
	NotAction    oneOrMany[string]
	Resource     oneOrMany[string]
	NotResource  oneOrMany[string]
	Condition    conditions
	hasEscapes   bool // true if "${*}", "${?}" and "${$}" mean characters
}

// oneOrMany is a JSON list, or a single value that means a list of one element.
type oneOrMany[T any] []T

// UnmarshalJSON decodes a list or a single value.
func (l *oneOrMany[T]) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		return strictJSON(data, (*[]T)(l))
	}
	*l = make([]T, 1)
	return strictJSON(data, &(*l)[0])
}

const maxPolicy = 20 << 10 // bytes

// variablesSince is the first version of the policy language with variables such as "${*}". In
// older versions, such text has no special meaning.
const variablesSince = "2012-10-17"

func malformedPolicy(format string, args ...any) *s3error.Error {
	return s3error.New("MalformedPolicy").WithMessage(format, args...)
}

// strictJSON is like [json.Unmarshal], but fails if data has a field that v does not have, or more text
// after the value.
func strictJSON(data []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return malformedPolicy("Policies must be valid JSON and the first byte must be '{'")
	}
	return nil
}

// checkNames reads one value of a JSON document, and fails if an object in it has a name twice. Package encoding/json
// would ignore the first of the two values.
func checkNames(decoder *json.Decoder, depth int) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	open, isNested := token.(json.Delim)
	if !isNested {
		return nil
	}

	const maxDepth = 20
	if depth > maxDepth {
		return malformedPolicy("Policy is nested too deeply")
	}

	names := map[string]bool{}
	for decoder.More() {
		if open == '{' {
			// In an object, a name precedes each value.
			name, err := decoder.Token()
			if err != nil {
				return err
			}
			lower := strings.ToLower(name.(string))
			if names[lower] {
				return malformedPolicy("Duplicate name in the policy: %s", name)
			}
			names[lower] = true
		}
		if err := checkNames(decoder, depth+1); err != nil {
			return err
		}
	}
	// Read the bracket or brace at the end.
	_, err = decoder.Token()
	return err
}

// Text returns the JSON of the policy as the client sent it.
func (p *Policy) Text() []byte { return p.document }

// MarshalJSON encodes the policy's text in base64, so that a store keeps it byte for byte.
func (p *Policy) MarshalJSON() ([]byte, error) { return json.Marshal(p.document) }

// UnmarshalJSON decodes only the policy's text. The caller must then call [Restore] with the text.
func (p *Policy) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &p.document) }

// unescaped replaces JSON's escapes of the characters that variables consist of.
var unescaped = strings.NewReplacer(
	`\u0024`, "$", `\u007b`, "{", `\u007B`, "{", `\u007d`, "}", `\u007D`, "}", `\u002a`, "*", `\u002A`, "*",
	`\u003f`, "?", `\u003F`, "?",
)

// special removes variables that stand for one character. hasVariable then finds only variables
// with a value that depends on the request.
var special = strings.NewReplacer("${*}", " ", "${?}", " ", "${$}", " ")

// hasVariable reports whether a document has a variable whose value depends on the request, such as
// "${aws:username}".
func hasVariable(document []byte) bool {
	return strings.Contains(special.Replace(unescaped.Replace(string(document))), "${")
}

// Parse parses the policy of a bucket. It fails if AWS would refuse the policy, or if this server does not
// implement a part of it.
func Parse(document []byte, bucket string) (*Policy, error) {
	p, err := Restore(document, bucket)
	if err != nil {
		return nil, err
	}

	// Restore also accepts statements with an action that applies to none of their resources.
	for _, s := range p.Statement {
		if s.hasUnusedAction(bucket) {
			return nil, malformedPolicy("Action does not apply to any resource(s) in statement")
		}
	}
	return p, nil
}

// Restore reads a stored policy. It is like [Parse], but also accepts a statement with an action
// that applies to none of the statement's resources. Earlier versions of this server accepted such
// statements.
func Restore(document []byte, bucket string) (*Policy, error) {
	return readPolicy(document, func(s *statement) error { return s.checkBucket(bucket) })
}

// readPolicy parses a policy, which is a list of statements. It fails if the policy is invalid, or if checkStatement
// refuses one of its statements.
func readPolicy(document []byte, checkStatement func(*statement) error) (*Policy, error) {
	p, err := decodePolicy(document)
	if err != nil {
		return nil, err
	}
	// In the older version, which is the default, the characters ${ have no meaning.
	isNewVersion := p.Version == variablesSince
	if p.Version != "" && p.Version != "2008-10-17" && !isNewVersion {
		return nil, malformedPolicy("The policy must contain a valid version string")
	}
	if len(p.Statement) == 0 {
		return nil, malformedPolicy("Missing required field Statement")
	}
	if isNewVersion && hasVariable(document) {
		return nil, s3error.New("NotImplemented").WithMessage("This server does not implement variables in policies")
	}

	ids := map[string]bool{}
	for i := range p.Statement {
		s := &p.Statement[i]
		if s.Sid != "" && ids[s.Sid] {
			return nil, malformedPolicy("Statement IDs (SID) in a single policy must be unique.")
		}
		ids[s.Sid] = true

		// The new version has variables such as "${*}" for single characters.
		s.hasEscapes = isNewVersion
		if s.hasEscapes {
			s.Condition.unescape()
		}

		// Policies of buckets and of sessions have common rules, and each of them has others of its own.
		if err := s.check(); err != nil {
			return nil, err
		}
		if err := checkStatement(s); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// decodePolicy decodes the JSON of a policy, without checking its statements. Its errors are S3 errors.
func decodePolicy(document []byte) (*Policy, error) {
	if len(document) > maxPolicy {
		return nil, s3error.New("PolicyTooLarge")
	}

	p := &Policy{document: document}
	if err := p.decodeFields(); err != nil {
		if failure, ok := errors.AsType[*s3error.Error](err); ok {
			return nil, failure
		}
		return nil, s3error.New("MalformedPolicy")
	}

	// JSON's null decodes without an error, but is no policy.
	isObject := bytes.HasPrefix(bytes.TrimSpace(document), []byte("{"))
	if !isObject {
		return nil, s3error.New("MalformedPolicy")
	}
	return p, nil
}

// decodeFields sets the fields of p from its document. It fails if the document has a name twice, or an unknown name.
func (p *Policy) decodeFields() error {
	if err := checkNames(json.NewDecoder(bytes.NewReader(p.document)), 0); err != nil {
		return err
	}
	// The method UnmarshalJSON of Policy decodes only the text. The type fields has no such method.
	type fields Policy
	return strictJSON(p.document, (*fields)(p))
}

// check fails if AWS would refuse the statement in policies of buckets and sessions alike.
func (s *statement) check() error {
	if s.Effect != "Allow" && s.Effect != "Deny" {
		return malformedPolicy("Invalid effect: %s", s.Effect)
	}

	// A statement has exactly one field of each pair, which is not an empty list.
	hasOneAction := (s.Action == nil) != (s.NotAction == nil)
	if !hasOneAction || len(s.Action)+len(s.NotAction) == 0 {
		return malformedPolicy("Missing required field Action")
	}
	hasOneResource := (s.Resource == nil) != (s.NotResource == nil)
	if !hasOneResource || len(s.Resource)+len(s.NotResource) == 0 {
		return malformedPolicy("Missing required field Resource")
	}
	return nil
}

// checkBucket fails if AWS would refuse the statement in the policy of this bucket.
func (s *statement) checkBucket(bucket string) error {
	if (s.Principal == nil) == (s.NotPrincipal == nil) {
		return malformedPolicy("Missing required field Principal")
	}
	if s.NotPrincipal != nil && s.Effect == "Allow" {
		return malformedPolicy("Allow with NotPrincipal is not allowed.")
	}

	if _, _, err := s.resourcesIn(bucket); err != nil {
		return err
	}
	for _, pattern := range slices.Concat(s.Action, s.NotAction) {
		if len(actionsLike(pattern)) == 0 {
			return malformedPolicy("Policy has invalid action")
		}
	}
	return nil
}

// hasUnusedAction reports whether an action of the statement applies to none of its resources, such as s3:GetObject if
// no resource has a key. checkBucket must have accepted the statement.
func (s *statement) hasUnusedAction(bucket string) bool {
	// AWS has no such rule for NotAction and NotResource.
	if s.Action == nil || s.Resource == nil {
		return false
	}

	// checkBucket has handled the error.
	hasBucket, hasObjects, _ := s.resourcesIn(bucket)
	applies := func(action string) bool {
		if OnObjects(action) {
			return hasObjects
		}
		return hasBucket
	}
	for _, pattern := range s.Action {
		if !slices.ContainsFunc(actionsLike(pattern), applies) {
			return true
		}
	}
	return false
}

// resourcesIn reports whether the resources of the statement name the bucket itself, and whether they name objects in
// it. It fails if one of them is in another bucket.
func (s *statement) resourcesIn(bucket string) (hasBucket, hasObjects bool, err error) {
	for _, resource := range slices.Concat(s.Resource, s.NotResource) {
		path, ok := strings.CutPrefix(resource, "arn:aws:s3:::")
		name, _, hasKey := strings.Cut(path, "/")
		if resource != "*" && (!ok || !s.matches(name, bucket)) {
			return false, false, malformedPolicy("Policy has invalid resource")
		}
		if !hasKey {
			hasBucket = true
		}
		// The star in a name without a key may also match a slash and a key.
		if hasKey || strings.Contains(name, "*") {
			hasObjects = true
		}
	}
	return hasBucket, hasObjects, nil
}

// matches reports whether a resource matches a pattern of the statement.
func (s *statement) matches(pattern, resource string) bool {
	if s.hasEscapes {
		return wildcard.MatchEscaped(pattern, resource)
	}
	return wildcard.Match(pattern, resource)
}

// actionsLike returns the actions of S3 that a pattern in a policy matches.
func actionsLike(pattern string) (actions []string) {
	for _, action := range Actions {
		if actionMatches(pattern, action) {
			actions = append(actions, action)
		}
	}
	return actions
}

func actionMatches(pattern, action string) bool {
	return wildcard.Match(strings.ToLower(pattern), strings.ToLower(action))
}

// applies reports whether a statement of a policy is about the request, because its principal, action, resource and
// conditions match.
func (s *statement) applies(r *Request) bool {
	if s.Principal != nil && !s.Principal.include(r) {
		return false
	}
	if s.NotPrincipal != nil && s.NotPrincipal.include(r) {
		return false
	}

	matchesAction := func(pattern string) bool {
		return actionMatches(pattern, r.Action)
	}
	if s.Action != nil && !slices.ContainsFunc(s.Action, matchesAction) {
		return false
	}
	if slices.ContainsFunc(s.NotAction, matchesAction) {
		return false
	}

	matchesResource := func(pattern string) bool {
		return s.matches(pattern, r.Resource)
	}
	if s.Resource != nil && !slices.ContainsFunc(s.Resource, matchesResource) {
		return false
	}
	if slices.ContainsFunc(s.NotResource, matchesResource) {
		return false
	}

	for i := range s.Condition {
		if !s.meets(&s.Condition[i], r) {
			return false
		}
	}
	return true
}

// meets reports whether a condition of the statement is true for a request.
func (s *statement) meets(c *condition, r *Request) bool {
	if r.isUploadProperty(c.key) {
		// The upload has met this condition when it began, so it must not refuse a later request of
		// the upload: it counts as true in an Allow, and as false in a Deny.
		return s.Effect == "Allow"
	}
	return c.matches(r)
}

// Evaluate reports whether any statement of the policy allows the request, and whether any denies it.
func (p *Policy) Evaluate(r *Request) (allowed, denied bool) {
	if p == nil {
		return false, false
	}
	for i := range p.Statement {
		s := &p.Statement[i]
		if s.applies(r) {
			allowed = allowed || s.Effect == "Allow"
			denied = denied || s.Effect == "Deny"
		}
	}
	return allowed, denied
}

// Public reports whether the policy is public by AWS's definition: it allows everybody something, without
// a condition that admits only known callers, such as one with fixed values of aws:SourceIp.
func (p *Policy) Public() bool {
	if p == nil {
		return false
	}
	return slices.ContainsFunc(p.Statement, func(s statement) bool {
		if s.Effect != "Allow" || s.Principal == nil || !s.Principal.everyone {
			return false
		}
		return !slices.ContainsFunc(s.Condition, condition.isFixed)
	})
}

// fixingKeys has the condition keys that AWS accepts as a restriction to known callers.
var fixingKeys = []string{
	"aws:principalorgid", "aws:principalorgpaths", "aws:sourceaccount", "aws:sourcearn", "aws:sourceip", "aws:sourceowner", "aws:sourcevpc",
	"aws:sourcevpce", "aws:userid", "aws:principalarn", "aws:principalaccount", "s3:dataaccesspointaccount", "s3:dataaccesspointarn",
	"s3:x-amz-server-side-encryption-aws-kms-key-id",
}

// isFixed reports whether the condition admits only known callers, because it compares a key in
// fixingKeys with values that are neither patterns nor very large networks.
func (c condition) isFixed() bool {
	if !slices.Contains(fixingKeys, c.key) {
		return false
	}
	// The condition may be true for a request without the key, or for all values but a few.
	if c.null || c.ifExists || c.operator.isNegated || c.quantifier == "ForAllValues" {
		return false
	}
	return !slices.ContainsFunc(c.values, c.isBroad)
}

// isBroad reports whether a value of the condition has a wildcard or is a very large network.
func (c condition) isBroad(value string) bool {
	// A network with a shorter prefix than this is very large.
	const (
		minBitsIPv4 = 8
		minBitsIPv6 = 32
	)

	network, ok := parseNetwork(value)
	if !ok || c.key != "aws:sourceip" {
		return strings.ContainsAny(value, "*?")
	}
	if network.Addr().Is4() {
		return network.Bits() < minBitsIPv4
	}
	return network.Bits() < minBitsIPv6
}
