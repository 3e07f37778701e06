package s3

import "github.com/omnibucket/storage/internal/httpheader"

// scoreless are names of metadata without "_": see Profile.EscapeUnderscores.
var scoreless = httpheader.NewNameEscaper('-', '_')

// storedNames returns metadata by the names that the server is given.
func (p *Profile) storedNames(metadata map[string]string) map[string]string {
	return p.renamed(metadata, scoreless.Escape)
}

// plainNames returns metadata by the names that users know.
func (p *Profile) plainNames(metadata map[string]string) map[string]string {
	return p.renamed(metadata, scoreless.Unescape)
}

func (p *Profile) renamed(metadata map[string]string, rename func(string) string) map[string]string {
	if !p.EscapeUnderscores || len(metadata) == 0 {
		return metadata
	}
	out := make(map[string]string, len(metadata))
	for name, value := range metadata {
		out[rename(name)] = value
	}
	return out
}
