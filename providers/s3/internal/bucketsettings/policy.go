package bucketsettings

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// A bucketPolicy is a policy document. It also keeps the fields and statements that this package
// does not understand.
type bucketPolicy struct {
	otherFields map[string]json.RawMessage // all fields except Statement
	statements  []json.RawMessage
}

// A policyStatement has those fields of a policy's statement that this package reads.
type policyStatement struct {
	Sid          string `json:",omitempty"`
	Effect       string
	Principal    json.RawMessage // "*", {"AWS": "*"} and {"AWS": ["*"]} mean everyone
	NotPrincipal json.RawMessage `json:",omitempty"` // applies to all principals except these, in place of Principal
	Action       json.RawMessage // one string or several
	NotAction    json.RawMessage `json:",omitempty"` // applies to all actions except these, in place of Action
	Resource     json.RawMessage // one string or several
	Condition    json.RawMessage `json:",omitempty"`
}

const publicReadSid = "OmnibucketPublicRead"

// parsePolicy parses a bucket policy, a document of statements about who may send which requests.
// An empty document is a policy without statements.
func parsePolicy(document string) (*bucketPolicy, error) {
	p := &bucketPolicy{otherFields: map[string]json.RawMessage{
		"Version": json.RawMessage(`"2012-10-17"`), // version of the policy language
	}}
	if strings.TrimSpace(document) == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(document), &p.otherFields); err != nil {
		return nil, err
	}

	// The statements are kept apart from the other fields.
	statements := bytes.TrimSpace(p.otherFields["Statement"])
	delete(p.otherFields, "Statement")
	if len(statements) == 0 {
		return p, nil
	}

	// A single statement need not be in a list.
	isSingle := statements[0] == '{'
	if isSingle {
		p.statements = []json.RawMessage{statements}
		return p, nil
	}
	if err := json.Unmarshal(statements, &p.statements); err != nil {
		return nil, err
	}
	return p, nil
}

// String returns the document of the policy, or "" if there are no statements, because a document
// must have at least one.
func (p *bucketPolicy) String() string {
	if len(p.statements) == 0 {
		return ""
	}
	doc := map[string]any{"Statement": p.statements}
	for name, value := range p.otherFields {
		doc[name] = value
	}
	document, err := json.Marshal(doc)
	if err != nil {
		// This cannot happen, because the raw messages were parsed.
		return ""
	}
	return string(document)
}

// setPublicRead changes the policy so that everyone may read the objects of the bucket with this ARN, or
// nobody without credentials. It reports whether that was a change.
func (p *bucketPolicy) setPublicRead(arn string, public bool) (isChanged bool) {
	if !public {
		return p.removeAnonymousRead()
	}
	if p.allowsPublicRead(arn) {
		return false
	}
	p.addPublicRead(arn)
	return true
}

// addPublicRead allows everyone to read the objects of the bucket with this ARN. It replaces a
// statement with the same Sid, which must be unique.
func (p *bucketPolicy) addPublicRead(arn string) {
	p.statements = slices.DeleteFunc(p.statements, func(raw json.RawMessage) bool {
		s, ok := readStatement(raw)
		return ok && s.Sid == publicReadSid
	})

	// Strings can always be encoded.
	resource, _ := json.Marshal(arn + "/*")
	statement, _ := json.Marshal(policyStatement{
		Sid:       publicReadSid,
		Effect:    "Allow",
		Principal: json.RawMessage(`"*"`),
		Action:    json.RawMessage(`"s3:GetObject"`),
		Resource:  resource,
	})
	p.statements = append(p.statements, statement)
}

// removeAnonymousRead removes each statement that allows everyone to read objects or versions, even
// under a condition, and reports whether there was one.
func (p *bucketPolicy) removeAnonymousRead() bool {
	count := len(p.statements)
	p.statements = slices.DeleteFunc(p.statements, func(raw json.RawMessage) bool {
		s, ok := readStatement(raw)
		allowsEveryone := ok && s.Effect == "Allow" && s.matchesEveryone()
		if !allowsEveryone {
			return false
		}
		return s.matchesAction(readObject) || s.matchesAction(readVersion)
	})
	return len(p.statements) != count
}

// allowsPublicRead reports whether everyone can read every object. A statement that denies it has
// precedence over all that allow it.
func (p *bucketPolicy) allowsPublicRead(arn string) bool {
	isAllowed := false
	for _, raw := range p.statements {
		s, ok := readStatement(raw)
		if !ok || !s.matchesAllObjects(arn) {
			continue
		}
		isPublicRead := s.matchesEveryone() && s.matchesAction(readObject) && len(s.Condition) == 0
		if !isPublicRead {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		if s.Effect == "Allow" {
			isAllowed = true
		}
	}
	return isAllowed
}

func readStatement(raw json.RawMessage) (*policyStatement, bool) {
	s := &policyStatement{}
	return s, json.Unmarshal(raw, s) == nil
}

// matchesEveryone reports whether the statement applies to requests without credentials. With
// NotPrincipal, it does unless NotPrincipal contains everyone.
func (s *policyStatement) matchesEveryone() bool {
	if len(s.NotPrincipal) > 0 {
		return !isEveryone(s.NotPrincipal)
	}
	return isEveryone(s.Principal)
}

// isEveryone reports whether the principal of a statement is everyone: "*", or an object such as
// {"AWS": "*"}.
func isEveryone(principal json.RawMessage) bool {
	if slices.Contains(stringsOf(principal), "*") {
		return true
	}

	var byKind map[string]json.RawMessage // principals by kind, such as "AWS" or "Service"
	if json.Unmarshal(principal, &byKind) != nil {
		return false
	}
	return slices.Contains(stringsOf(byKind["AWS"]), "*")
}

// The actions that read objects, in lower case.
const (
	readObject  = "s3:getobject"
	readVersion = "s3:getobjectversion"
)

// matchesAction reports whether the statement applies to an action in lower case, such as
// "s3:getobject".
func (s *policyStatement) matchesAction(action string) bool {
	matches := func(pattern string) bool {
		// In path.Match, "*" matches everything but a slash. An action has no slash.
		ok, _ := path.Match(strings.ToLower(pattern), action)
		return ok
	}

	if len(s.NotAction) > 0 { // the statement applies to all actions but these
		return !slices.ContainsFunc(stringsOf(s.NotAction), matches)
	}
	return slices.ContainsFunc(stringsOf(s.Action), matches)
}

func (s *policyStatement) matchesAllObjects(arn string) bool {
	return slices.ContainsFunc(stringsOf(s.Resource), func(resource string) bool {
		return resource == "*" || resource == arn+"/*" || resource == arn+"*"
	})
}

// stringsOf returns the strings in raw, which may be one string or a list of them. It returns nil
// for any other value.
func stringsOf(raw json.RawMessage) []string {
	var single string
	if json.Unmarshal(raw, &single) == nil {
		return []string{single}
	}
	var many []string
	if json.Unmarshal(raw, &many) != nil {
		return nil
	}
	return many
}
