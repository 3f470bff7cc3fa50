# The lab's infrastructure: a Docker network and a kind cluster of three nodes on it.
#
# No provider is downloaded: an air gap has no registry. `terraform_data` is part of Terraform, and lab.sh does the work.
#
# Drift. A plan runs no program, so it cannot ask Docker. It can look at files, and on Linux the kernel shows each running
# container as a folder /sys/fs/cgroup/.../<container id>, and each Docker network as /sys/class/net/br-<network id>.
# lab.sh records these paths when it creates something (.records/, no secret in it); a plan looks whether they are still
# there. When one is not, `creation` gets a new value, which replaces what was lost. The record then holds that value, so
# the plan after that is empty. Where the engine lives in a virtual machine (Docker Desktop) there are no such paths: a
# plan cannot see drift there, check "drift_is_visible" says so, and the notebook asks Docker and passes `lost`.

terraform {
  required_version = ">= 1.5"
}

locals {
  shape   = yamldecode(file("${path.module}/kind.yaml"))
  minor   = tonumber(regex(":v1\\.([0-9]+)\\.", var.node_image)[0])
  kubelet = { kind = "KubeletConfiguration", failCgroupV1 = false }
  patches = var.allow_cgroup_v1 && local.minor >= 35 ? [yamlencode(local.kubelet)] : []
  config = yamlencode(merge(local.shape, { name = var.cluster_name }, {
    for key, value in { kubeadmConfigPatches = concat(try(local.shape.kubeadmConfigPatches, []), local.patches) } :
    key => value if length(value) > 0
  }))

  # Absolute, because the outputs read it too; `creation` is "1" before there is a record.
  folder = "${abspath(path.module)}/.records"
  files  = { for part in ["network", "cluster"] : part => "${local.folder}/${var.cluster_name}.${part}.json" }
  records = {
    for part, file in local.files : part => try(jsondecode(file(file)), { number = 1, creation = "1", watched = {} })
  }
  lost = {
    for part, record in local.records : part => sort(distinct(concat(
      [for name, file in record.watched : name if file != "" && !fileexists(file)],
      part == "cluster" ? tolist(var.lost) : [],
    )))
  }
  number = { for part, record in local.records : part => record.number + (length(local.lost[part]) > 0 ? 1 : 0) }
  creation = {
    for part, record in local.records : part => length(local.lost[part]) == 0 ? record.creation : format(
      "%d: %s %s not running", local.number[part], join(", ", local.lost[part]), length(local.lost[part]) > 1 ? "are" : "is"
    )
  }
}

# Destroyed last, and never replaced with what it records.
resource "terraform_data" "records" {
  input            = { name = var.cluster_name }
  triggers_replace = [var.cluster_name]

  provisioner "local-exec" {
    when        = destroy
    working_dir = path.module
    command     = "./lab.sh forget"
    environment = { NAME = self.input.name }
  }
}

resource "terraform_data" "network" {
  input            = { name = var.cluster_name }
  triggers_replace = { name = var.cluster_name, creation = local.creation["network"] }
  depends_on       = [terraform_data.records]

  provisioner "local-exec" {
    working_dir = path.module
    command     = "./lab.sh create-network"
    environment = {
      NAME     = self.input.name
      CREATION = local.creation["network"]
      NUMBER   = local.number["network"]
    }
  }

  provisioner "local-exec" {
    when        = destroy
    working_dir = path.module
    command     = "./lab.sh delete-network"
    environment = { NAME = self.input.name }
  }
}

resource "terraform_data" "cluster" {
  input = {
    name        = var.cluster_name
    node_image  = var.node_image
    kube_config = var.kubeconfig == "" ? "" : pathexpand(var.kubeconfig)
    record      = local.files["cluster"]
  }
  triggers_replace = {
    name       = var.cluster_name
    node_image = var.node_image
    config     = local.config
    creation   = local.creation["cluster"]
    network    = terraform_data.network.id
  }

  provisioner "local-exec" {
    working_dir = path.module
    command     = "./lab.sh create-cluster"
    environment = {
      NAME        = self.input.name
      NODE_IMAGE  = self.input.node_image
      CONFIG      = local.config
      ROLES       = join(" ", sort(local.shape.nodes[*].role))
      KUBE_CONFIG = self.input.kube_config
      CREATION    = local.creation["cluster"]
      NUMBER      = local.number["cluster"]
    }
  }

  provisioner "local-exec" {
    when        = destroy
    working_dir = path.module
    command     = "./lab.sh delete-cluster"
    environment = { NAME = self.input.name, KUBE_CONFIG = self.input.kube_config }
  }
}

check "drift_is_visible" {
  assert {
    condition     = alltrue([for file in values(local.records["cluster"].watched) : file != ""])
    error_message = "The nodes run where this plan cannot look (Docker Desktop), so it shows no drift of theirs: docker ps does."
  }
}
