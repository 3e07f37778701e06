// Without has no bucket.
package main

func main() {}
