package config

import (
	"bytes"
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/locations"
)

// A File is a configuration file that the program changes. A change keeps the comments and the
// order of lines.
type File struct {
	path     string
	Config   *locations.Config
	document yaml.Node
}

// ReadFile reads a configuration file. A file that does not exist is read as an empty one.
func ReadFile(path string) (*File, error) {
	f := &File{path: path}
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}

	// Without a file, text is empty.
	f.Config, err = locations.Parse(path, text)
	if err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(text, &f.document); err != nil {
		return nil, err
	}

	isEmpty := len(f.document.Content) == 0 || f.document.Content[0].Kind != yaml.MappingNode
	if isEmpty {
		f.document = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
	}
	return f, nil
}

// Set sets the value of a name in a section, and adds the section if the file lacks it.
func (f *File) Set(section, name, value string) {
	top := f.document.Content[0]
	entries := valueOf(top, section)
	if entries == nil || entries.Kind != yaml.MappingNode {
		// The section is missing, or has no entries and is null.
		removeKey(top, section)
		entries = &yaml.Node{Kind: yaml.MappingNode}
		top.Content = append(top.Content, textNode(section), entries)
	}

	current := valueOf(entries, name)
	if current == nil {
		entries.Content = append(entries.Content, textNode(name), textNode(value))
		return
	}
	if current.Kind == yaml.MappingNode {
		// Only the address changes. The location keeps its credentials and layers.
		if address := valueOf(current, "address"); address != nil {
			current = address
		}
	}
	current.SetString(value)
}

// Remove removes a name from a section. It reports whether the section had that name.
func (f *File) Remove(section, name string) bool {
	entries := valueOf(f.document.Content[0], section)
	return entries != nil && removeKey(entries, name)
}

// textNode returns a node with a text.
func textNode(value string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(value)
	return n
}

// valueOf returns the value of a key in a YAML mapping, or nil if the mapping does not have the key.
func valueOf(mapping *yaml.Node, key string) *yaml.Node {
	// The content alternates between keys and values.
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// removeKey removes a key and its value from a YAML mapping, and reports whether the mapping had the key.
func removeKey(mapping *yaml.Node, key string) bool {
	// The content alternates between keys and values.
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content = append(mapping.Content[:i], mapping.Content[i+2:]...)
			return true
		}
	}
	return false
}

// Write writes the configuration to its file, which it replaces atomically.
func (f *File) Write() error {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(&f.document); err != nil {
		return err
	}

	temp, err := partfile.Replace(partfile.System{}, f.path, 0o600) // for the user only
	if err != nil {
		return localfile.WithPath(err, f.path)
	}

	err = writeAndClose(temp.OS(), b.Bytes())
	if err == nil {
		err = os.Rename(temp.Path(), f.path)
	}
	if err != nil {
		temp.Remove()
		return localfile.WithPath(err, f.path)
	}
	temp.Renamed()
	return nil
}

// writeAndClose writes data to a file, syncs the file to the disk and closes it.
func writeAndClose(file *os.File, data []byte) error {
	_, err := file.Write(data)
	if err == nil {
		err = file.Sync()
	}

	closeErr := file.Close()
	if err != nil {
		return err
	}
	return closeErr
}
