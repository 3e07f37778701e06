package s3

import "github.com/omnibucket/storage/internal/escape"

// scoreless are names of metadata without "_": see Profile.EscapeUnderscores.
var scoreless = escape.NewNames('-', '_')

// storedNames returns metadata by the names that the server is given.
func (p *Profile) storedNames(metadata map[string]string) map[string]string {
	return p.renamed(metadata, scoreless.Stored)
}

// plainNames returns metadata by the names that users know.
func (p *Profile) plainNames(metadata map[string]string) map[string]string {
	return p.renamed(metadata, scoreless.Plain)
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
