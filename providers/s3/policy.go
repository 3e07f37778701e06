package s3

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// A bucketPolicy is a policy document of whoever wrote it: what this package
// does not know it keeps as it is.
type bucketPolicy struct {
	rest       map[string]json.RawMessage // all but Statement
	statements []json.RawMessage
}

// A policyStatement is what matters here of one.
type policyStatement struct {
	Sid          string `json:",omitempty"`
	Effect       string
	Principal    json.RawMessage // "*", {"AWS": "*"} or {"AWS": ["*"]} is anyone
	NotPrincipal json.RawMessage `json:",omitempty"` // in its place: all but these
	Action       json.RawMessage // one or several
	NotAction    json.RawMessage `json:",omitempty"` // in its place: all but these
	Resource     json.RawMessage // one or several
	Condition    json.RawMessage `json:",omitempty"`
}

const publicReadSid = "OmnibucketPublicRead"

// parsePolicy reads a document; an empty one is a policy without statements.
func parsePolicy(document string) (*bucketPolicy, error) {
	p := &bucketPolicy{rest: map[string]json.RawMessage{"Version": json.RawMessage(`"2012-10-17"`)}}
	if strings.TrimSpace(document) == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(document), &p.rest); err != nil {
		return nil, err
	}
	statements := bytes.TrimSpace(p.rest["Statement"])
	delete(p.rest, "Statement")
	switch {
	case len(statements) == 0 || string(statements) == "null":
	case statements[0] == '{': // one need not stand in a list
		p.statements = []json.RawMessage{statements}
	default:
		if err := json.Unmarshal(statements, &p.statements); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// String is the document, "" without a statement: a policy has at least one.
func (p *bucketPolicy) String() string {
	if len(p.statements) == 0 {
		return ""
	}
	whole := map[string]any{"Statement": p.statements}
	for name, value := range p.rest {
		whole[name] = value
	}
	document, err := json.Marshal(whole)
	if err != nil {
		return "" // raw messages that were parsed are valid
	}
	return string(document)
}

// addPublicRead lets anyone read the bucket's objects; arn is the bucket's. A
// Sid stands once in a policy.
func (p *bucketPolicy) addPublicRead(arn string) {
	p.statements = slices.DeleteFunc(p.statements, func(raw json.RawMessage) bool {
		s, ok := readStatement(raw)
		return ok && s.Sid == publicReadSid
	})
	jsonString := func(text string) json.RawMessage {
		value, _ := json.Marshal(text)
		return value
	}
	statement, _ := json.Marshal(policyStatement{
		Sid: publicReadSid, Effect: "Allow", Principal: jsonString("*"),
		Action: jsonString("s3:GetObject"), Resource: jsonString(arn + "/*"),
	})
	p.statements = append(p.statements, statement)
}

// removeAnonymousRead takes out what lets anyone read objects, or versions of
// them, under whatever condition: no one without credentials shall. It reports
// whether there was any.
func (p *bucketPolicy) removeAnonymousRead() bool {
	before := len(p.statements)
	p.statements = slices.DeleteFunc(p.statements, func(raw json.RawMessage) bool {
		s, ok := readStatement(raw)
		return ok && s.Effect == "Allow" && s.anyone() && (s.isAbout(readObject) || s.isAbout(readVersion))
	})
	return len(p.statements) != before
}

// public reports whether every object is readable by anyone.
func (p *bucketPolicy) public(arn string) bool {
	allowed := false
	for _, raw := range p.statements {
		s, ok := readStatement(raw)
		if !ok || !s.covers(arn) {
			continue
		}
		switch {
		case !s.anyone() || !s.isAbout(readObject) || len(s.Condition) > 0:
		case s.Effect == "Deny":
			return false
		case s.Effect == "Allow":
			allowed = true
		}
	}
	return allowed
}

func readStatement(raw json.RawMessage) (*policyStatement, bool) {
	s := &policyStatement{}
	return s, json.Unmarshal(raw, s) == nil
}

// anyone reports whether the statement is about those without credentials too:
// whoever is left out by name has some.
func (s *policyStatement) anyone() bool {
	if len(s.NotPrincipal) > 0 {
		return !isEveryone(s.NotPrincipal)
	}
	return isEveryone(s.Principal)
}

func isEveryone(principal json.RawMessage) bool {
	if slices.Contains(oneOrMany(principal), "*") {
		return true
	}
	var byKind map[string]json.RawMessage
	if json.Unmarshal(principal, &byKind) != nil {
		return false
	}
	return slices.Contains(oneOrMany(byKind["AWS"]), "*")
}

// What reads bytes, as policies call it, in lower case.
const (
	readObject  = "s3:getobject"
	readVersion = "s3:getobjectversion"
)

func (s *policyStatement) isAbout(action string) bool {
	isIt := func(pattern string) bool { return wildcard(strings.ToLower(pattern), action) }
	if len(s.NotAction) > 0 {
		return !slices.ContainsFunc(oneOrMany(s.NotAction), isIt)
	}
	return slices.ContainsFunc(oneOrMany(s.Action), isIt)
}

// covers reports whether the statement is about all objects of the bucket.
func (s *policyStatement) covers(arn string) bool {
	return slices.ContainsFunc(oneOrMany(s.Resource), func(resource string) bool {
		return resource == "*" || resource == arn+"/*" || resource == arn+"*"
	})
}

// oneOrMany reads what a policy writes as a text or as a list of them.
func oneOrMany(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var many []string
	if json.Unmarshal(raw, &many) != nil {
		return nil
	}
	return many
}

// wildcard matches a policy's "*" and "?".
func wildcard(pattern, text string) bool {
	for i, c := range []byte(pattern) {
		switch {
		case c == '*':
			for rest := range len(text) - i + 1 {
				if wildcard(pattern[i+1:], text[i+rest:]) {
					return true
				}
			}
			return false
		case i >= len(text) || c != '?' && c != text[i]:
			return false
		}
	}
	return len(pattern) == len(text)
}
