package uploads

import (
	"cmp"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/internal/keyrule"
	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/internal/tagrule"
)

// badName returns the error for a file whose key cannot exist because of the name that the client
// sent.
func badName(n Request, cause error) *Error {
	e := invalid("filename", "A file of this name cannot be stored. Choose another name.")
	e.Err = cause
	return e.about(CleanName(n.Name))
}

// checkKey fails if Config.Begin returned a key that no object can have. Begin often makes the key
// from the name that the client sent. Without this check, the upload would fail only after its last
// byte.
func (t *Target) checkKey(n Request) error {
	if rule := keyrule.Write(t.Key); t.Key != "" && rule != "" {
		cause := argument.Invalid("Target.Key", rule, "make the key of what the application knows, or escape the name")
		cause.Op = "uploads"
		cause.Key = t.Key
		return badName(n, cause)
	}
	return nil
}

// checkAttributes fails if no object can have these attributes. The application has set them, so
// the error that the client sees does not describe them.
func (t *Target) checkAttributes() error {
	if flaw := t.flaw(); flaw != nil {
		return &Error{Code: Internal, Message: internalMessage, Err: flaw}
	}
	return nil
}

// flaw returns the error that says why no object can have these attributes. If they are valid, it
// returns nil.
func (t *Target) flaw() *storage.Error {
	field, rule, hint := "", "", ""
	for _, text := range []struct{ field, value string }{
		{"Target.ContentType", t.ContentType}, {"Target.CacheControl", t.CacheControl}, {"Target.ContentDisposition", t.ContentDisposition},
	} {
		if !headertext.ValidHeader(text.value) {
			field = text.field
			rule = "must be ASCII of at most 1,024 bytes without control characters or spaces at its ends"
		}
	}
	if field == "" && t.ContentType != "" && !headertext.ValidMediaType(t.ContentType) {
		field = "Target.ContentType"
		rule = "must be type/subtype"
	}
	if field == "" {
		field = "Target.Tags"
		rule = tagrule.Check(t.Tags)
	}
	if rule == "" {
		field = "Target.Metadata"
		_, rule, hint = metadata.Fold(t.Metadata)
	}
	if rule == "" {
		return nil
	}
	cause := argument.Invalid(field, rule, cmp.Or(hint, "check what the client says before it becomes part of a Target"))
	cause.Op = "uploads"
	cause.Key = t.Key
	return cause
}
