"""Files that last: written whole or not at all, with a digest, verified when they are read.

| module | what it knows |
| --- | --- |
| `files` | one file: written beside, flushed, renamed; read whole |
| `sealed` | a JSON object with the SHA-256 of its own text |
| `digests` | the SHA-256 of a large file, remembered until the file changes |
| `manifest` | the sizes and digests of the files of one folder |
| `folders` | one folder in the place of another, in one step |
| `claims` | who works in a folder, and whether that process still lives |
| `cache` | entries that are built once, and again where they are damaged |
| `private` | files that only their owner can have written |

Records, weights, caches, reports and ledgers pass through here and no other way. This package knows bytes, digests and JSON;
the owner of a file decodes what is in it. It never imports torch, and no number depends on it.
"""
