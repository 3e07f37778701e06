package policy

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/accounts"
)

// principals are the senders that a statement names.
type principals struct {
	everyone  bool
	accounts  []string
	canonical []string // canonical ids of accounts
}

// UnmarshalJSON reads "*" and {"AWS": […], "CanonicalUser": […], …}.
func (p *principals) UnmarshalJSON(data []byte) error {
	invalid := malformedPolicy("Invalid principal in policy")
	var name string
	if json.Unmarshal(data, &name) == nil {
		if p.everyone = name == "*"; !p.everyone {
			return invalid
		}
		return nil
	}
	var kinds map[string]oneOrMany[string]
	if json.Unmarshal(data, &kinds) != nil || len(kinds) == 0 {
		return invalid
	}
	for kind, names := range kinds {
		if len(names) == 0 {
			return invalid
		}
		for _, name := range names {
			if !p.add(kind, name) {
				return invalid
			}
		}
	}
	return nil
}

// add adds a principal. It returns false for one that AWS refuses.
func (p *principals) add(kind, name string) bool {
	if name == "*" && kind == "AWS" {
		p.everyone = true
		return true
	}
	if name == "" || strings.ContainsAny(name, "*?$") {
		return false
	}
	switch kind {
	case "AWS":
		return p.addAWS(name)
	case "CanonicalUser":
		p.canonical = append(p.canonical, name)
	case "Service", "Federated": // this server has no such principals
	default:
		return false
	}
	return true
}

// addAWS adds an account, by its id or its ARN, or a user or role.
func (p *principals) addAWS(name string) bool {
	if !strings.Contains(name, ":") {
		if len(name) == 64 {
			p.canonical = append(p.canonical, name)
		} else {
			p.accounts = append(p.accounts, name)
		}
		return true
	}
	parts := strings.SplitN(name, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || !strings.HasPrefix(parts[1], "aws") ||
		parts[2] != "iam" && parts[2] != "sts" ||
		parts[3] != "" ||
		parts[4] == "" {
		return false
	}
	if parts[5] == "root" {
		p.accounts = append(p.accounts, parts[4])
		return true
	}
	// This server has no users and roles, so that the principal matches no caller.
	kind, rest, _ := strings.Cut(parts[5], "/")
	switch kind {
	case "user", "role", "assumed-role", "federated-user":
		return rest != ""
	}
	return false
}

// include reports whether the caller is one of them.
func (p *principals) include(r *Request) bool {
	if p.everyone {
		return true
	}
	if r.Anonymous {
		return false
	}
	return slices.Contains(p.accounts, r.Account) || slices.ContainsFunc(p.canonical, func(id string) bool {
		return strings.EqualFold(id, accounts.OwnerOf(r.Account).ID)
	})
}
