// Package requestclass assigns the requests of a driver to the classes that providers bill.
package requestclass

import "strings"

// A Class is a class of requests for which providers have one price or limit.
type Class int

const (
	None    Class = iota // methods that make no request
	Read                 // reads of an object, its attributes or tags
	List                 // pages of objects, versions, parts or multipart uploads
	Removal              // removals of objects, versions or a multipart upload
	Write                // all other requests
)

// Of returns the class of the requests that a method of a driver sends, such as Read for "Get".
func Of(call string) Class {
	switch {
	case call == "Get" || call == "Head" || call == "Tags":
		return Read
	case strings.HasPrefix(call, "List"):
		return List
	case strings.HasPrefix(call, "Delete") || call == "AbortParts":
		return Removal
	case strings.HasPrefix(call, "Sign") || call == "Vend":
		// Vend may send a request, but to another service.
		return None
	}
	return Write
}
