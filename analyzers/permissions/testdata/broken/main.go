// Broken does not compile.
package main

import "github.com/omnibucket/storage"

func main() { storage.Missing() }
